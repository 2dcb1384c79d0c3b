import type { Source } from '../../collect/sources/source.ts'
import { unjudged, type Evidence } from '../../evidence.ts'
import { bodyLimits } from './body-limits.ts'
import { catchAndAllow } from './catch-and-allow.ts'
import { constantTime } from './constant-time.ts'
import type { Lint } from './lint.ts'
import { messageLimits } from './message-limits.ts'
import { responseReads } from './response-reads.ts'
import { subprocessOutput } from './subprocess-output.ts'
import { unlinkErrors } from './unlink-errors.ts'
import { webStorage } from './web-storage.ts'

const lints: readonly Lint[] = [
  webStorage,
  catchAndAllow,
  constantTime,
  bodyLimits,
  messageLimits,
  responseReads,
  subprocessOutput,
  unlinkErrors,
]

/** What the lints say of a source; it is parsed only where one of them may have something to say. */
export function linted(source: Source): readonly Evidence[] {
  const may = lints.filter((lint) => {
    const trigger = lint.triggers[source.language]
    return trigger !== undefined && source.mentions(trigger) && lint.worthParsing?.(source) !== false
  })
  if (may.length === 0) return []
  if (source.unclear !== undefined)
    return [unjudged('UNKNOWN', source.spot({ from: 0, to: 0 }), source.unclear, { subject: 'unclear source' })]
  return may.flatMap((lint) => lint.inspect(source))
}
