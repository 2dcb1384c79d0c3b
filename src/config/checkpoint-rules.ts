import { createPrivateKey } from 'node:crypto'
import { problem, showValue, type Problem } from './problem.ts'
import type { CheckedConfig } from './schema.ts'
import { readSecretFile } from './secret-file.ts'

interface Looked {
  readonly config: CheckedConfig
  readonly mode: 'up' | 'serve'
}

/** The signing key can be read and is of the right kind, and what is asked of the sinks can be had (SPEC L7, L8). */
export function checkpointsAreSound({ config, mode }: Looked): readonly Problem[] {
  return [...signingKey(config), ...acknowledged(config, mode), ...origin(config)]
}

function signingKey({ audit: { checkpoints }, env }: CheckedConfig): readonly Problem[] {
  const path = 'audit.checkpoints.keyFile'
  const { keyFile } = checkpoints
  if (keyFile === undefined) return []
  const { secret, problems } = readSecretFile(path, keyFile, env === 'production')
  const why = secret === undefined ? undefined : wrongKey(secret.reveal())
  const make = 'Run `portcullis ledger key make FILE` once, and name that file; other replicas get a copy of it.'
  if (secret === undefined) return problems.map((one) => ({ ...one, todo: `${one.todo} ${make}` }))
  return why === undefined ? problems : [...problems, problem(path, showValue(keyFile), why, make)]
}

function wrongKey(pem: string): string | undefined {
  try {
    const kind = createPrivateKey(pem).asymmetricKeyType
    return kind === 'ed25519' ? undefined : `This is a key of the kind ${kind}; checkpoints are signed with Ed25519.`
  } catch {
    // What is wrong with it may quote the file.
    return 'This is not a private key in PEM form without a passphrase.'
  }
}

function acknowledged({ audit }: CheckedConfig, mode: 'up' | 'serve'): readonly Problem[] {
  const { sinks, checkpoints } = audit
  const path = 'audit.checkpoints.acknowledgements'
  if (sinks.length === 0 || checkpoints.acknowledgements === 0) return []
  if (checkpoints.acknowledgements > sinks.length) {
    const why = `There ${sinks.length === 1 ? 'is 1 sink' : `are ${sinks.length} sinks`}: keys could never be changed.`
    const todo = 'Lower it, or add sinks to audit.sinks.'
    return [problem(path, showValue(checkpoints.acknowledgements), why, todo)]
  }
  if (checkpoints.keyFile !== undefined || mode === 'up') return []
  const why = 'There are sinks, and no key that signs what they must acknowledge: keys could never be changed.'
  const todo =
    'Run `portcullis ledger key make FILE` and name the file here, or set audit.checkpoints.acknowledgements to 0.'
  return [problem('audit.checkpoints.keyFile', showValue(undefined), why, todo)]
}

function origin({ audit }: CheckedConfig): readonly Problem[] {
  if (/^[^\s+\p{C}]{1,200}$/u.test(audit.origin) && !audit.origin.endsWith('/')) return []
  const why =
    'It is part of the name that signs: at most 200 characters, without spaces, plus signs or a slash at its end.'
  return [
    problem('audit.origin', showValue(audit.origin.slice(0, 60)), why, 'Set it to a name such as ledger.example.com.'),
  ]
}
