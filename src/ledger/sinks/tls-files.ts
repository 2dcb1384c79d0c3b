import { readFile } from 'node:fs/promises'

export interface TlsFiles {
  readonly caFile?: string | undefined
  readonly certFile?: string | undefined
  readonly keyFile?: string | undefined
}

export interface TlsMaterial {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

/** The content of the files, read anew for each connection, so that a renewed certificate needs no restart. */
export async function readTlsFiles({ caFile, certFile, keyFile }: TlsFiles): Promise<TlsMaterial> {
  const [ca, cert, key] = await Promise.all([caFile, certFile, keyFile].map(readSinkFile))
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }
}

/** What it rejects with names the file, never what is in it. */
export async function readSinkFile(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown fault'
    throw new Error(`${file} cannot be read (${code}): make it readable to this user`, { cause: error })
  }
}
