import { userInfo } from 'node:os'
import { maskText } from '#ledger'

type Env = Readonly<Record<string, string | undefined>>

/** Only these say yes: a variable that is set to `0` or `false` confirms nothing. */
export function isConfirmed(flag: boolean, env: Env): boolean {
  return flag || env['OPS_CONFIRM'] === '1'
}

/** OPS_OPERATOR, else the user of the operating system; a container may run as a user without a name. */
export function operatorName(env: Env): string {
  const named = env['OPS_OPERATOR']?.trim()
  if (named) return named.slice(0, most.nameChars)
  try {
    return userInfo().username
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`
  }
}

const most = { nameChars: 120, args: 64, argChars: 512 } as const
// A flag or a variable whose name says that its value is a secret.
const secretName =
  /^(?:-{1,2}|\/)?[\w.-]*(?:secret|token|passw|pwd|passphrase|credential|api[-_]?key|private[-_]?key|auth)[\w.-]*$/i
const assignment = /^([^=\s]{1,80})=([^]*)$/

/**
 * Arguments without secrets: by the name of the flag (`--token X`, `--token=X`, `TOKEN=X`) and by form (keys, JWTs, URLs with
 * passwords). Bounded in number and length.
 */
export function redactArgs(args: readonly string[]): readonly string[] {
  const shown = args.slice(0, most.args).map((arg, at) => redactArg(arg, args[at - 1]))
  return args.length > most.args ? [...shown, `… ${args.length - most.args} more`] : shown
}

function redactArg(arg: string, before: string | undefined): string {
  const [, name = '', value = ''] = assignment.exec(arg) ?? []
  if (name !== '' && value !== '' && secretName.test(name)) return `${name}=***`
  const flagged = before?.startsWith('-') === true && !before.includes('=') && secretName.test(before)
  if (flagged && !arg.startsWith('-')) return '***'
  const masked = maskText(arg)
  return masked.length <= most.argChars ? masked : `${masked.slice(0, most.argChars)}… (${arg.length} chars)`
}
