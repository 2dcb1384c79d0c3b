import type { Collector } from '../collector.ts'
import { readShell, type ShellScript } from './script.ts'
import { isReadable, type Parsed, type SourceFile } from '../source-file.ts'

/** A shell script that people or machines run by hand or by a timer. */
export interface ShellScriptFile {
  readonly file: SourceFile
  readonly run: ShellScript
}

/** Where the scripts of operations lie, as against those of a product or of its tests. */
const scriptFolder =
  /(?:^|\/)(?:scripts?|tools?|bin|sbin|ops|operations|hack|deploy(?:ment)?s?|maintenance|devops|infra|admin|runbooks?|cron|jobs|ci)\//i
// What lies in the sources of a product is a part of it, whatever its folder is called.
const productFolder = /(?:^|\/)(?:src|lib|app|internal|pkg|cmd|web|server|client|vendor|third[_-]party)\//i
const testFolder = /(?:^|\/)(?:tests?|__tests__|e2e|specs?|fixtures?|testdata|test-data)\/|[._-](?:test|spec)\.[a-z]+$/i

/** By its path, a script of operations. */
export function isScriptPath(path: string): boolean {
  const folder = scriptFolder.exec(path)
  return folder !== null && !testFolder.test(path) && !productFolder.test(path.slice(0, folder.index + 1))
}

const shellName = /\.(?:sh|bash|ksh)$/i
// At the top they lie for those who build and install, not for operations.
const makes = /^(?:install|uninstall|setup|bootstrap|build|test|clean|configure|autogen|release|get|run|start|dev)\b/i
const bareName = /(?:^|\/)[^./]+$/

/** Shell scripts in the folders of operations and at the top of the tree; by their name, or by their first line. */
export const shellScripts: Collector<'repo', readonly Parsed<ShellScriptFile>[]> = async (tree) => {
  const candidates = tree.files.filter(({ path, closed }) => {
    if (closed !== undefined || testFolder.test(path)) return false
    const top = !path.includes('/') && !makes.test(path)
    return shellName.test(path) ? top || tree.single || isScriptPath(path) : bareName.test(path) && isScriptPath(path)
  })
  const files = await tree.readAll(candidates)
  return files.flatMap((parsed): readonly Parsed<ShellScriptFile>[] => {
    const { file } = parsed
    // A program without a file name extension may as well be a binary.
    if (!isReadable(parsed)) return shellName.test(file.path) ? [parsed] : []
    if (!shellName.test(file.path) && !/^#![^\n]*\b(?:ba|da|k)?sh\b/.test(file.text.slice(0, 200))) return []
    const run = readShell(file.text)
    const problems = run.errors.map(({ offset, why }) => ({ spot: { file, start: offset, end: offset }, why }))
    return [{ file, value: { file, run }, problems: problems.slice(0, 1) }]
  })
}
