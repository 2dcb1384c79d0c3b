import { stat } from 'node:fs/promises'
import { isReadable, SourceFile, type Parsed } from '../source-file.ts'
import { Tree } from '../tree.ts'

/** What the config checks may look at: a settings file or an env file, and the environment that comes on top of it. */
export interface ConfigContext {
  /** As the user named it. */
  readonly path: string
  readonly file: Parsed<SourceFile>
  readonly env: Readonly<Record<string, string | undefined>>
  /** What expires is compared with it. */
  readonly now: Date
  /** The files of the repository, where they were asked for too: what runs the settings may excuse them. */
  readonly repo?: Tree
}

/** Throws what `realpath` throws where there is no such file, and {@link NotSettings} for a folder. */
export async function openConfig({
  path,
  env,
  now,
}: Pick<ConfigContext, 'path' | 'env' | 'now'>): Promise<ConfigContext> {
  const folder = (await stat(path)).isDirectory()
  const tree = folder ? undefined : await Tree.open(path)
  const [found] = tree?.files ?? []
  if (tree === undefined || found === undefined)
    throw new NotSettings('This is a folder: name the settings file in it.')
  return { path, file: named(path, await tree.read(found)), env, now }
}

export class NotSettings extends Error {
  override readonly name = 'NotSettings'
}

/** The same text under the path that the user knows it by. */
function named(path: string, parsed: Parsed<SourceFile>): Parsed<SourceFile> {
  if (!isReadable(parsed)) return { ...parsed, file: new SourceFile(path, '') }
  const { text, byteOrderMark } = parsed.value
  const file = new SourceFile(path, byteOrderMark ? `\uFEFF${text}` : text)
  return { file, value: file }
}
