import { pino, type Logger } from 'pino'
import type { Config } from '#config'
import { maskJsonText } from '#ledger'
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
  const watchers = new Set<(line: string) => void>()
  // Masked by form as the ledger is (SPEC L3); a masked line of JSON is one still.
  const write = (line: string): void => {
    const masked = maskJsonText(line)
    process.stderr.write(toForm(masked))
    for (const told of watchers) told(masked)
  }
  const log = pino(options, { write })
  watched.set(log, watchers)
  return log
}

const watched = new WeakMap<Logger, Set<(line: string) => void>>()

/** Tells of every line of a log of {@link makeLog}, in JSON and masked, until the function that it answers is called. */
export function watchLines(log: Logger, told: (line: string) => void): () => void {
  watched.get(log)?.add(told)
  return () => void watched.get(log)?.delete(told)
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
