import { createPrivateKey, X509Certificate } from 'node:crypto'
import { isLoopback } from '#core'
import { certificates } from './certificates.ts'
import { httpSinkIsSound } from './http-sink-rules.ts'
import { notSet, notShown, problem, showValue, type Problem } from './problem.ts'
import { readTextFile } from './read-file.ts'
import type { CheckedConfig } from './schema.ts'
import { readSecretFile } from './secret-file.ts'

type Setting = CheckedConfig['audit']['sinks'][number]

const bytesMax = 1024 * 1024
const credsPattern = /-----BEGIN NATS USER JWT-----[\s\S]+-----BEGIN USER NKEY SEED-----/

/** Sinks can be told apart, and what each needs from files can be read: a sink that cannot be made stops the start (SPEC L9). */
export function sinksAreSound({ config }: { readonly config: CheckedConfig }): readonly Problem[] {
  const production = config.env === 'production'
  return config.audit.sinks.flatMap((sink, index) => {
    const path = `audit.sinks.${index}`
    return [
      ...namedOnce(path, sink, config.audit.sinks.slice(0, index)),
      ...folderOnce(path, sink, config.audit.sinks.slice(0, index)),
      ...tlsIsSound(path, sink, production),
      ...secretsAreReadable(path, sink, production),
      ...natsIsPrivate(path, sink),
      ...httpSinkIsSound(path, sink, production),
    ]
  })
}

function namedOnce(path: string, { name }: Setting, before: readonly Setting[]): readonly Problem[] {
  const other = before.findIndex((one) => one.name === name)
  if (other < 0) return []
  const why = `audit.sinks.${other} has this name: it is the name of the cursor and of the metrics.`
  return [problem(`${path}.name`, showValue(name), why, 'Give each sink a name of its own.')]
}

function folderOnce(path: string, sink: Setting, before: readonly Setting[]): readonly Problem[] {
  if (sink.kind !== 'file') return []
  const other = before.findIndex((one) => one.kind === 'file' && one.dir === sink.dir)
  if (other < 0) return []
  return [
    problem(`${path}.dir`, showValue(sink.dir), `It is the folder of audit.sinks.${other}.`, 'Give it another one.'),
  ]
}

function tlsIsSound(path: string, sink: Setting, production: boolean): readonly Problem[] {
  if (sink.kind !== 'syslog' && sink.kind !== 'nats') return []
  const { caFile, certFile, keyFile } = sink
  const found = [...certificates(`${path}.caFile`, caFile), ...certificates(`${path}.certFile`, certFile)]
  if ((certFile === undefined) !== (keyFile === undefined)) {
    const [missing, given] = certFile === undefined ? ['certFile', 'keyFile'] : ['keyFile', 'certFile']
    const why = `A client certificate is two files, and there is only ${given}.`
    found.push(problem(`${path}.${missing}`, notSet, why, `Name both, or remove ${given}.`))
  }
  return keyFile === undefined ? found : [...found, ...keyOf(`${path}.keyFile`, keyFile, certFile, production)]
}

function keyOf(path: string, file: string, certFile: string | undefined, production: boolean): readonly Problem[] {
  const { secret, problems } = readSecretFile(path, file, production)
  if (secret === undefined) return problems
  const no = (why: string, todo: string): readonly Problem[] => [...problems, problem(path, showValue(file), why, todo)]
  const read = certFile === undefined ? undefined : readTextFile(certFile, bytesMax)
  const certificate = read?.ok === true ? readCertificate(read.text) : undefined
  try {
    const key = createPrivateKey(secret.reveal())
    if (certificate === undefined || certificate.checkPrivateKey(key)) return problems
    return no('It is not the key of the certificate in certFile.', 'Name the two files that belong together.')
  } catch {
    return no('It holds no private key that can be read without a password.', 'Name a PEM file of an unencrypted key.')
  }
}

/** The first one; what is wrong with others is said where the file is checked. */
function readCertificate(text: string): X509Certificate | undefined {
  try {
    return new X509Certificate(text)
  } catch {
    return undefined
  }
}

function secretsAreReadable(path: string, sink: Setting, production: boolean): readonly Problem[] {
  const files = Object.entries(sink).filter(([key]) => key === 'tokenFile' || key === 'credsFile')
  return files.flatMap(([key, file]) => {
    if (typeof file !== 'string') return []
    const { secret, problems } = readSecretFile(`${path}.${key}`, file, production)
    if (key === 'tokenFile' || secret === undefined || credsPattern.test(secret.reveal())) return problems
    const why = 'The file holds no credentials of NATS: a user JWT, and the seed of its key.'
    return [
      ...problems,
      problem(`${path}.${key}`, showValue(file), why, 'Name a file as `nsc generate creds` makes it.'),
    ]
  })
}

function natsIsPrivate(path: string, sink: Setting): readonly Problem[] {
  if (sink.kind !== 'nats') return []
  const both = sink.credsFile !== undefined && sink.tokenFile !== undefined
  const found = both ? [problem(`${path}.tokenFile`, notShown, 'There is credsFile, too.', 'Keep one of the two.')] : []
  const bare = sink.servers.findIndex((server) => server.startsWith('nats:') && !isLoopback(new URL(server).hostname))
  if (bare < 0 || sink.caFile !== undefined || sink.certFile !== undefined) return found
  const why = 'The ledger, and the credentials of this sink, would cross the network in the clear.'
  const todo = 'Write tls:// in front of the host, with caFile for an authority of your own.'
  return [...found, problem(`${path}.servers.${bare}`, notShown, why, todo)]
}
