import { repoCheck } from '../../check.ts'
import { isTestPath } from '../../collect/sources/source.ts'
import { sources } from '../../collect/sources/sources.ts'
import { stated, unjudged } from '../../evidence.ts'

export const r23 = repoCheck({
  id: 'R23',
  title: 'Sources keep clear of habits that make holes',
  needs: { sources },
  judge: async ({ sources: { files, unread } }) => {
    const own = files.filter(({ test }) => !test)
    if (own.length === 0 && unread.every(({ file }) => isTestPath(file.path)))
      return [stated('repo', 'NOT_APPLICABLE', 'There is no source in TypeScript, JavaScript, Python or Go but tests.')]
    // Loaded where there are sources.
    const { linted } = await import('./lints.ts')
    return [
      ...own.flatMap(linted),
      ...unread
        .filter(({ file }) => !isTestPath(file.path))
        .map(({ file, why }) => unjudged('UNKNOWN', { file, start: 0, end: 0 }, why, { subject: why })),
    ]
  },
})
