import { pino, type Logger } from 'pino'
import type { Config } from '#config'
import { maskText } from '#ledger'
import { auditText, isAuditLine } from './telemetry/audit-line.ts'

/** The log of the process, on stderr: stdout belongs to the command. */
export function makeLog({ level, format }: Config['log']): Logger {
  const options = {
    level,
    base: {},
    redact: {
      paths: ['password', '*.password', 'authorization', '*.authorization', 'key', '*.key'],
      censor: '[redacted]',
    },
  }
  const toForm = format === 'json' ? (line: string): string => line : toText
  // Masked by form as the ledger is (SPEC L3); a masked line of JSON is one still.
  return pino(options, { write: (line: string) => void process.stderr.write(toForm(maskLine(line))) })
}

/** A line of JSON with its values masked. Escapes would hide where a value begins: a line with some is read first. */
export function maskLine(line: string): string {
  if (!line.includes('\\')) return maskText(line)
  const masked: unknown = JSON.parse(line, (_, value: unknown) => (typeof value === 'string' ? maskText(value) : value))
  return `${JSON.stringify(masked)}\n`
}

const names = new Map([
  [10, 'trace'],
  [20, 'debug'],
  [30, 'info'],
  [40, 'warn'],
  [50, 'error'],
  [60, 'fatal'],
])

// Other text is quoted: a value that somebody sent must not look like a field or a line of the log.
const plain = /^[\x21\x23-\x7e]+$/

function toText(line: string): string {
  const { level, time, msg, ...rest } = JSON.parse(line) as { level: number; time: number; msg?: string } & Record<
    string,
    unknown
  >
  const fields = Object.entries(rest).map(
    ([name, value]) => `${name}=${typeof value === 'string' && plain.test(value) ? value : JSON.stringify(value)}`,
  )
  const told = isAuditLine(rest) ? [auditText(rest)] : [msg, ...fields]
  return `${[new Date(time).toISOString(), (names.get(level) ?? String(level)).padEnd(5), ...told].join(' ')}\n`
}
