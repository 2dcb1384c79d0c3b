import { repoCheck } from '../../check.ts'
import { isTestPath, type Source } from '../../collect/sources/source.ts'
import { sources } from '../../collect/sources/sources.ts'
import { stated, unjudged, type Evidence } from '../../evidence.ts'
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

export const r23 = repoCheck({
  id: 'R23',
  title: 'Sources keep clear of habits that make holes',
  needs: { sources },
  judge: ({ sources: { files, unread } }) => {
    const own = files.filter(({ test }) => !test)
    if (own.length === 0 && unread.every(({ file }) => isTestPath(file.path)))
      return [stated('repo', 'NOT_APPLICABLE', 'There is no source in TypeScript, JavaScript, Python or Go but tests.')]
    return [
      ...own.flatMap(linted),
      ...unread
        .filter(({ file }) => !isTestPath(file.path))
        .map(({ file, why }) => unjudged('UNKNOWN', { file, start: 0, end: 0 }, why, { subject: why })),
    ]
  },
})

function linted(source: Source): readonly Evidence[] {
  const may = lints.filter((lint) => {
    const trigger = lint.triggers[source.language]
    return trigger !== undefined && source.mentions(trigger) && lint.worthParsing?.(source) !== false
  })
  if (may.length === 0) return []
  if (source.unclear !== undefined)
    return [unjudged('UNKNOWN', source.spot({ from: 0, to: 0 }), source.unclear, { subject: 'unclear source' })]
  return may.flatMap((lint) => lint.inspect(source))
}
