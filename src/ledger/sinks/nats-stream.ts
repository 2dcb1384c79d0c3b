import { isIP } from 'node:net'
import { checkServerIdentity, type PeerCertificate } from 'node:tls'
import type * as jetstreamLibrary from '@nats-io/jetstream'
import type * as natsLibrary from '@nats-io/transport-node'
import { SecretFile } from '#core'
import { readTlsFiles, type TlsFiles } from './tls-files.ts'

export interface NatsSinkSettings extends TlsFiles {
  readonly name: string
  /** `nats://host:port`, or `tls://` where TLS is a must. */
  readonly servers: readonly string[]
  readonly stream: string
  /** Entries go to `<subject>.entries.<log>`, checkpoints to `<subject>.checkpoints.<log>`. */
  readonly subject: string
  readonly createStream: boolean
  readonly credsFile?: string | undefined
  readonly tokenFile?: string | undefined
}

/** A connection, with a stream that is there and takes our subjects. */
export interface Stream {
  readonly connection: natsLibrary.NatsConnection
  readonly publisher: jetstreamLibrary.JetStreamClient
  readonly manager: jetstreamLibrary.JetStreamManager
  readonly headers: typeof natsLibrary.headers
  /** The stream holds what becomes of tokens, too. */
  readonly keepsEvents: boolean
}

/** Where subscribers hear what becomes of tokens (SPEC A11), whatever the subject of the sink. */
export const tokenEventSubject = 'portcullis.token-events'

/** For the connection, and for each answer of JetStream. */
export const answerMs = 5000
// Longer than any pause of the forwarder, so that what was stored and not acknowledged in time is not stored twice.
const duplicateWindowSeconds = 600

export async function openStream(settings: NatsSinkSettings): Promise<Stream> {
  const [nats, jetstream] = await Promise.all([import('@nats-io/transport-node'), import('@nats-io/jetstream')])
  const { servers, credsFile, tokenFile } = settings
  const material = await readTlsFiles(settings)
  const encrypted = Object.keys(material).length > 0 || servers.some((server) => server.startsWith('tls:'))
  const creds = credsFile === undefined ? undefined : await new SecretFile(credsFile).read()
  const token = tokenFile === undefined ? undefined : await new SecretFile(tokenFile).read()
  const connection = await nats.connect({
    servers: servers.map((server) => new URL(server).host),
    name: `portcullis ${settings.name}`,
    timeout: answerMs,
    reconnect: false,
    noEcho: true,
    // Servers that the cluster tells of are not those that somebody chose.
    ignoreClusterUpdates: true,
    ...(encrypted && { tls: { ...material, ...named(servers) } }),
    ...(creds && { authenticator: nats.credsAuthenticator(Buffer.from(creds.reveal())) }),
    ...(token && { token: token.reveal() }),
  })
  try {
    const manager = await jetstream.jetstreamManager(connection, { timeout: answerMs, checkAPI: false })
    const subjects = await ready(settings, manager, jetstream)
    const keepsEvents = subjects.some((pattern) => holds(pattern, tokenEventSubject))
    return { connection, manager, publisher: jetstream.jetstream(connection), headers: nats.headers, keepsEvents }
  } catch (error) {
    await connection.close()
    throw error
  }
}

/** The subjects of the stream, which is there and holds ours: what is published elsewhere nobody acknowledges. */
async function ready(
  settings: NatsSinkSettings,
  manager: jetstreamLibrary.JetStreamManager,
  library: typeof jetstreamLibrary,
): Promise<readonly string[]> {
  const { stream, subject, createStream } = settings
  const subjects = await subjectsOf(manager, stream)
  if (subjects?.some((pattern) => holds(pattern, `${subject}.entries.any`)) === true) return subjects
  if (subjects !== undefined) {
    const todo = `add it with \`nats stream edit ${stream} --subjects '${[...subjects, `${subject}.>`].join(',')}'\``
    throw new Error(`the stream ${stream} does not hold the subject ${subject}.entries: ${todo}`)
  }
  if (!createStream) throw new Error(missing(settings))
  await manager.streams.add({
    name: stream,
    subjects: [`${subject}.>`],
    storage: library.StorageType.File,
    retention: library.RetentionPolicy.Limits,
    discard: library.DiscardPolicy.New,
    duplicate_window: duplicateWindowSeconds * 1_000_000_000,
    deny_delete: true,
    deny_purge: true,
  })
  return [`${subject}.>`]
}

/** The subjects that a stream holds; undefined where there is no such stream. */
async function subjectsOf(
  manager: jetstreamLibrary.JetStreamManager,
  stream: string,
): Promise<readonly string[] | undefined> {
  try {
    return (await manager.streams.info(stream)).config.subjects
  } catch (error) {
    if (error instanceof Error && error.name === 'StreamNotFoundError') return undefined
    throw error
  }
}

/** `*` is any word, `>` at the end is one or more. */
function holds(pattern: string, subject: string): boolean {
  const [wanted, words] = [pattern.split('.'), subject.split('.')]
  const rest = wanted.indexOf('>')
  const fits = wanted.slice(0, rest < 0 ? undefined : rest).every((word, at) => word === '*' || word === words[at])
  return fits && (rest < 0 ? wanted.length === words.length : words.length > rest)
}

/** Node knows no name where the library connects to an address first, and takes `localhost` for it. */
function named(servers: readonly string[]): object {
  const hosts = servers.map((server) => new URL(server).hostname.replace(/^\[(.*)\]$/, '$1'))
  const unnamed = hosts.filter((host) => isIP(host) !== 0 || host === 'localhost')
  return {
    checkServerIdentity: (host: string, certificate: PeerCertificate): Error | undefined => {
      const names = host === 'localhost' && unnamed.length > 0 ? unnamed : [host]
      const wrong = names.map((name) => checkServerIdentity(name, certificate))
      return wrong.includes(undefined) ? undefined : wrong[0]
    },
  }
}

function missing({ stream, subject }: NatsSinkSettings): string {
  const command = `nats stream add ${stream} --subjects '${subject}.>' --storage file --retention limits --discard new --dupe-window 10m --defaults`
  return `there is no stream ${stream}: make it with \`${command}\`, or set createStream`
}

/** The library says what went wrong in names of classes and codes of its own. */
export function explained(error: unknown, { servers, stream }: NatsSinkSettings): Error {
  const text =
    error instanceof Error ? `${error.name === 'Error' ? '' : `${error.name}: `}${error.message}` : String(error)
  const hint = hints.find(([pattern]) => pattern.test(text))?.[1]
  const where = servers.map((server) => new URL(server).host).join(', ')
  return new Error(`${where}: ${text}${hint === undefined ? '' : `; ${hint.replace('STREAM', stream)}`}`, {
    cause: error,
  })
}

const hints: readonly (readonly [RegExp, string])[] = [
  [
    /authorization|authentication|permissions? violation/i,
    'check credsFile or tokenFile, and what it may publish and ask',
  ],
  [
    /JetStreamNotEnabled|jetstream not enabled|NoResponders|no responders/i,
    'JetStream does not answer: is it enabled (-js), and has the stream STREAM a leader',
  ],
  [/refused/i, 'start it, or correct the servers of this sink'],
  [/does not support 'tls'/i, 'give the server a certificate, or use nats:// to a server on this machine'],
  [
    /maximum (bytes|messages|messages per subject) exceeded|insufficient (storage|resources)/i,
    'raise the limits of the stream STREAM',
  ],
]
