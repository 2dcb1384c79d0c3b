import type { PythonLock } from '../../collect/packages/python-locks.ts'
import type { RequirementsFile } from '../../collect/packages/requirements.ts'
import { samples } from '../../collect/packages/manifests.ts'
import { isReadable, type Parsed } from '../../collect/source-file.ts'
import { failing, type Evidence } from '../../evidence.ts'
import type { RequirementFiles } from './requirement-files.ts'

const findingsMax = 50

/** Lines of lock files that have no hash. */
export function judgeLocks(
  requirements: readonly Parsed<RequirementsFile>[],
  locks: readonly Parsed<PythonLock>[],
  files: RequirementFiles,
): readonly Evidence[] {
  return [
    ...requirements.flatMap((each) => (isReadable(each) ? judgeRequirements(each.value, files) : [])),
    ...locks.flatMap((each) => (isReadable(each) ? judgeLock(each.value) : [])),
  ]
}

function judgeRequirements(
  { file, lines, generated, byName }: RequirementsFile,
  files: RequirementFiles,
): readonly Evidence[] {
  const indexed = lines.filter(({ direct }) => !direct)
  const without = indexed.filter(({ hashes }) => hashes === 0)
  if (!byName || without.length === 0 || samples.test(file.path)) return []
  const locks = generated && file.path.endsWith('.txt') && indexed.every(({ pinned }) => pinned)
  if (without.length === indexed.length) {
    const [first] = without
    // Said already where it is installed.
    if (!locks || first === undefined || files.installed.has(file.path)) return []
    return [
      failing(first.spot, 'This lock file has no hashes: it was made without --generate-hashes.', {
        subject: 'no hashes',
      }),
    ]
  }
  return without
    .slice(0, findingsMax)
    .map(({ spot, text }) =>
      failing(spot, `${text} has no hash, though other lines of the file have.`, { subject: text }),
    )
}

function judgeLock({ entries }: PythonLock): readonly Evidence[] {
  return entries
    .filter(({ indexed, files, hashed }) => indexed && (hashed < files || files === 0))
    .slice(0, findingsMax)
    .map(({ name, spot }) => failing(spot, `The lock file has no hash for every file of ${name}.`, { subject: name }))
}
