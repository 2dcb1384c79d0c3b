import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { systemClock, type Secret } from '#core'
import { problem, showValue, type Problem } from './problem.ts'
import { readTextFile } from './read-file.ts'
import type { CheckedConfig } from './schema.ts'
import { readSecretFile } from './secret-file.ts'

const bytesMax = 1024 * 1024
const pemPattern = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** What the listeners for agents prove themselves with, and whom they let in. PEM. */
export interface TlsMaterial {
  readonly cert: string
  readonly key: Secret
  readonly clientCa: string
  /** When the certificate of the server ends; milliseconds since the epoch. */
  readonly expiresAtMs: number
}

export type TlsRead =
  | { readonly ok: true; readonly material: TlsMaterial; readonly problems: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[] }

type TlsConfig = Pick<CheckedConfig, 'tls' | 'env'>

/** The listeners for agents have all three files or none, and each of them is what it should be (SPEC G17). */
export function tlsIsSound({ config }: { readonly config: CheckedConfig }): readonly Problem[] {
  const { listen, tls } = config
  const listener = (['agentsGrpc', 'agentsHttp'] as const).find((name) => listen[name] !== undefined)
  const missing = (['certFile', 'keyFile', 'clientCaFile'] as const).filter((name) => tls[name] === undefined)
  if (missing.length === 3 && listener === undefined && tls.origin === undefined) return []
  if (missing.length > 0) {
    const why =
      listener === undefined ? 'The other files of tls are for nothing without it.' : `listen.${listener} speaks TLS.`
    const todo =
      'Set tls.certFile, tls.keyFile and tls.clientCaFile, or remove listen.agentsGrpc and listen.agentsHttp.'
    return missing.map((name) => problem(`tls.${name}`, showValue(undefined), why, todo))
  }
  const unused =
    listener === undefined
      ? [
          problem(
            'tls',
            'its files',
            'No listener uses them.',
            'Set listen.agentsGrpc or listen.agentsHttp.',
            'warning',
          ),
        ]
      : []
  return [...unused, ...originProblems(tls.origin, listen.agentsHttp), ...readTls(config).problems]
}

function originProblems(origin: string | undefined, agentsHttp: string | undefined): readonly Problem[] {
  if (origin === undefined) return []
  const url = URL.parse(origin)
  const todo = 'Set it to an origin such as https://agents.example.com:8443.'
  if (url?.protocol !== 'https:' || url.origin !== origin) {
    const why = 'It is an https origin, without a path and without a slash at its end.'
    return [problem('tls.origin', showValue(origin), why, todo)]
  }
  if (agentsHttp !== undefined) return []
  return [
    problem(
      'tls.origin',
      showValue(origin),
      'Nothing listens there: listen.agentsHttp is not set.',
      'Set that, or remove tls.origin.',
    ),
  ]
}

/** Reads the three files and looks whether they fit together; also what a running server takes over. */
export function readTls({ tls, env }: TlsConfig, nowMs: number = systemClock.now()): TlsRead {
  const { certFile = '', keyFile = '', clientCaFile = '' } = tls
  const cert = readCertificates('tls.certFile', certFile)
  const clientCa = readCertificates('tls.clientCaFile', clientCaFile)
  const key = readKey(keyFile, env === 'production')
  const [server] = cert.found
  const problems = [
    ...cert.problems,
    ...key.problems,
    ...clientCa.problems,
    ...(server === undefined ? [] : times('tls.certFile', certFile, server, nowMs)),
    ...authorities(clientCaFile, clientCa.found, nowMs),
  ]
  if (server === undefined || key.key === undefined || key.secret === undefined) return { ok: false, problems }
  if (!server.checkPrivateKey(key.key)) {
    const todo =
      'Name the key that the certificate was made with; in tls.certFile the certificate of the server comes first.'
    problems.push(
      problem('tls.keyFile', showValue(keyFile), 'It is not the key of the certificate in tls.certFile.', todo),
    )
  } else problems.push(...refusedByTls(certFile, cert.text, key.secret))
  if (problems.some(({ severity }) => severity === 'error')) return { ok: false, problems }
  const expiresAtMs = server.validToDate.getTime()
  return { ok: true, material: { cert: cert.text, key: key.secret, clientCa: clientCa.text, expiresAtMs }, problems }
}

interface FoundCertificates {
  readonly text: string
  readonly found: readonly X509Certificate[]
  readonly problems: readonly Problem[]
}

function readCertificates(path: string, file: string): FoundCertificates {
  const no = (why: string): FoundCertificates => {
    const todo = 'Name a PEM file of certificates that this user can read.'
    return { text: '', found: [], problems: [problem(path, showValue(file), why, todo)] }
  }
  const read = readTextFile(file, bytesMax)
  if (!read.ok) return no(read.why)
  const pems = read.text.match(pemPattern) ?? []
  if (pems.length === 0) return no('The file holds no certificate.')
  try {
    return { text: pems.join('\n'), found: pems.map((pem) => new X509Certificate(pem)), problems: [] }
  } catch {
    return no('A certificate in the file cannot be read.')
  }
}

interface FoundKey {
  readonly key?: KeyObject
  readonly secret?: Secret
  readonly problems: readonly Problem[]
}

function readKey(file: string, production: boolean): FoundKey {
  const path = 'tls.keyFile'
  const { secret, problems } = readSecretFile(path, file, production)
  if (secret === undefined) return { problems }
  try {
    return { secret, key: createPrivateKey(secret.reveal()), problems }
  } catch {
    // What is wrong with it may quote the file.
    const why = 'This is not a private key in PEM form without a passphrase.'
    const todo = 'Name the key that the certificate of tls.certFile was made with.'
    return { problems: [...problems, problem(path, showValue(file), why, todo)] }
  }
}

function times(path: string, file: string, certificate: X509Certificate, nowMs: number): readonly Problem[] {
  const { validFromDate, validToDate } = certificate
  const why =
    validToDate.getTime() <= nowMs
      ? `The certificate expired at ${validToDate.toISOString()}.`
      : validFromDate.getTime() > nowMs
        ? `The certificate is not valid before ${validFromDate.toISOString()}.`
        : undefined
  return why === undefined
    ? []
    : [problem(path, showValue(file), why, 'Renew it, and check the clock of this machine.')]
}

/** Whoever signs is an authority, and one of them at least has not expired. */
function authorities(file: string, found: readonly X509Certificate[], nowMs: number): readonly Problem[] {
  const path = 'tls.clientCaFile'
  if (found.length === 0) return []
  if (found.some(({ ca }) => !ca)) {
    const why = 'A certificate in the file is not that of an authority (CA:TRUE): it signs nobody.'
    return [
      problem(path, showValue(file), why, 'Name the file of the authority that signs the certificates of agents.'),
    ]
  }
  const over = found.filter(({ validToDate }) => validToDate.getTime() <= nowMs)
  if (over.length === 0) return []
  const why =
    over.length === found.length ? 'Every authority in the file has expired.' : 'An authority in the file has expired.'
  const severity = over.length === found.length ? 'error' : 'warning'
  return [problem(path, showValue(file), why, 'Replace it with its successor.', severity)]
}

/** What OpenSSL would not serve with: keys that are too short, digests that are broken. */
function refusedByTls(file: string, cert: string, key: Secret): readonly Problem[] {
  try {
    createSecureContext({ cert, key: key.reveal() })
    return []
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
    const why = `TLS refuses the certificate or its key (${code}).`
    return [
      problem('tls.certFile', showValue(file), why, 'Make one with an EC key, or an RSA key of 2048 bits or more.'),
    ]
  }
}
