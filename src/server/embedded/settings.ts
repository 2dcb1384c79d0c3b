/** The major version of the binaries; a data directory of another major version cannot be opened by them. */
export const postgresMajor = '18'

export const superuser = 'postgres'

/** The one address the server listens on; there is no socket file. */
export const listenAddress = '127.0.0.1'

// Little idle work, full durability. A process keeps fifteen to twenty-five connections; a place that nobody takes costs little.
const tuned = {
  max_connections: '400',
  shared_buffers: '128MB',
  wal_level: 'replica',
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  wal_compression: 'on',
  max_wal_size: '1GB',
  checkpoint_completion_target: '0.9',
  huge_pages: 'off',
  jit: 'off',
  log_min_messages: 'warning',
  log_timezone: 'UTC',
  timezone: 'UTC',
  password_encryption: 'scram-sha-256',
} as const

/** The arguments of `postgres`. MUST NOT hold a secret: every user of the machine can read them. */
export function serverArguments(dataDir: string, port: number): readonly string[] {
  const settings = { listen_addresses: listenAddress, unix_socket_directories: '', port: String(port), ...tuned }
  return ['-D', dataDir, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
}

/** The arguments of `initdb`; the password comes from a file, never from the command line. */
export function initdbArguments(dataDir: string, passwordFile: string): readonly string[] {
  return [
    `--pgdata=${dataDir}`,
    `--username=${superuser}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--locale=C',
    '--no-instructions',
  ]
}

/** The whole environment of `initdb` and `postgres`: ours may hold secrets and is not passed on. */
export const serverEnvironment: Readonly<Record<string, string>> = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }
