import { statSync } from 'node:fs'
import { isLoopback } from '#core'
import { problem, showValue, type Problem } from './problem.ts'
import { readTextFile } from './read-file.ts'
import type { CheckedConfig } from './schema.ts'
import { exposure, readSecretFile } from './secret-file.ts'

type Checked = CheckedConfig['secrets']

/** One provider, complete, with files that are private and can be read (SPEC S1, S5). */
export function secretsAreSound({ config }: { readonly config: CheckedConfig }): readonly Problem[] {
  const production = config.env === 'production'
  const { secrets } = config
  return [...strays(secrets), ...keyFile(secrets, production), ...vault(secrets, production), ...kms(secrets)]
}

function strays(secrets: Checked): readonly Problem[] {
  const others = [
    ['keyFile', 'file'],
    ['vault', 'vault'],
    ['kms', 'kms'],
  ] as const
  return others
    .filter(([key, provider]) => secrets[key] !== undefined && secrets.provider !== provider)
    .map(([key, provider]) => {
      const todo = `Remove it, or set secrets.provider to ${provider}.`
      const why = `The provider is ${secrets.provider}: this would be ignored, and look as if it protected something.`
      return problem(`secrets.${key}`, showValue('given'), why, todo)
    })
}

/** A key file may hold raw bytes, so its text is not looked at here; the start does. */
function keyFile({ keyFile: file, provider }: Checked, production: boolean): readonly Problem[] {
  if (file === undefined || provider !== 'file') return []
  const found = statSync(file, { throwIfNoEntry: false })
  if (found?.isFile()) return exposure('secrets.keyFile', file, found.mode, production)
  const why = found === undefined ? 'There is no such file.' : 'It is not a regular file.'
  const todo = 'Make one with `portcullis secrets generate-key --out FILE`, or restore it from its backup.'
  return [problem('secrets.keyFile', showValue(file), why, todo)]
}

function vault({ vault: given, provider }: Checked, production: boolean): readonly Problem[] {
  if (provider !== 'vault') return []
  if (given === undefined) return [missing('vault', 'Set secrets.vault.address, keyName and tokenFile.')]
  const { tokenFile, roleId, secretIdFile, address, caFile } = given
  const problems: Problem[] = [...offHost('secrets.vault.address', address)]
  const byToken = tokenFile !== undefined && roleId === undefined && secretIdFile === undefined
  const byRole = tokenFile === undefined && roleId !== undefined && secretIdFile !== undefined
  if (!byToken && !byRole) {
    const todo = 'Set secrets.vault.tokenFile alone, or secrets.vault.roleId and secrets.vault.secretIdFile.'
    problems.push(problem('secrets.vault', showValue('given'), 'There is not exactly one way to log in.', todo))
  }
  for (const [key, file] of Object.entries({ tokenFile, secretIdFile })) {
    if (file !== undefined) problems.push(...readSecretFile(`secrets.vault.${key}`, file, production).problems)
  }
  const read = caFile === undefined ? undefined : readTextFile(caFile, 1024 * 1024)
  if (caFile !== undefined && !(read?.ok === true && read.text.includes('-----BEGIN CERTIFICATE-----'))) {
    const why = read?.ok === false ? read.why : 'The file holds no certificate.'
    const todo = 'Name a PEM file of certificates that this user can read.'
    problems.push(problem('secrets.vault.caFile', showValue(caFile), why, todo))
  }
  return problems
}

function kms({ kms: given, provider }: Checked): readonly Problem[] {
  if (provider !== 'kms') return []
  if (given === undefined) return [missing('kms', 'Set secrets.kms.keyId and region.')]
  return given.endpoint === undefined ? [] : offHost('secrets.kms.endpoint', given.endpoint)
}

function missing(provider: string, todo: string): Problem {
  return problem(
    `secrets.${provider}`,
    showValue(undefined),
    `The provider is ${provider}, and it is not described.`,
    todo,
  )
}

/** What is sent there are keys. */
function offHost(path: string, address: string): readonly Problem[] {
  const { protocol, hostname } = new URL(address)
  if (protocol === 'https:' || isLoopback(hostname)) return []
  const why = 'It is on another machine: keys and tokens would cross the network in the clear.'
  return [problem(path, showValue(hostname), why, 'Use https.')]
}
