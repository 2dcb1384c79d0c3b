import { pino, type Logger } from 'pino'
import type { Config } from '#config'

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
  return format === 'json'
    ? pino(options, process.stderr)
    : pino(options, { write: (line) => void process.stderr.write(toText(line)) })
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
  return `${[new Date(time).toISOString(), (names.get(level) ?? String(level)).padEnd(5), msg, ...fields].join(' ')}\n`
}
