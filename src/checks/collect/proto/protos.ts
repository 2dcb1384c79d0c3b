import type { Collector } from '../collector.ts'
import { isReadable, type Parsed, type SourceFile } from '../source-file.ts'
import type { ProtoFile, ProtoMessage } from './parse.ts'

/** The contracts of the tree. */
export interface Protos {
  /** Those of this repository. */
  readonly files: readonly Parsed<ProtoFile>[]
  /** The message that a name means where it is written, also one of another file or of another project's. */
  resolve(name: string, scope: string): ProtoMessage | undefined
}

// Contracts of others, kept for their messages.
const foreignPath =
  /(?:^|\/)(?:third[_-]party|vendor|node_modules|googleapis|protobuf-src|include|google|envoy|validate|buf)\//i

export const protos: Collector<'repo', Protos> = async (tree) => {
  const files = await parsedFiles(await tree.readAll(tree.matching(/\.proto$/i)))
  const messages = new Map<string, ProtoMessage>()
  for (const parsed of files)
    if (isReadable(parsed)) for (const message of parsed.value.messages) messages.set(message.name, message)
  return {
    files: files.filter(({ file }) => !foreignPath.test(file.path)),
    // From the innermost scope outwards, as the language has it.
    resolve: (name, scope) => {
      if (name.startsWith('.')) return messages.get(name.slice(1))
      let around = scope
      for (;;) {
        const found = messages.get(around === '' ? name : `${around}.${name}`)
        if (found !== undefined || around === '') return found
        around = around.slice(0, Math.max(0, around.lastIndexOf('.')))
      }
    },
  }
}

async function parsedFiles(files: readonly Parsed<SourceFile>[]): Promise<readonly Parsed<ProtoFile>[]> {
  if (files.length === 0) return []
  const { parseProto } = await import('./parse.ts')
  return files.map((parsed) => (isReadable(parsed) ? parseProto(parsed.value) : parsed))
}
