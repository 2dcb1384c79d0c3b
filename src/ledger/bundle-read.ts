import type { Hash } from 'node:crypto'
import { open } from 'node:fs/promises'
import type { Block } from './block.ts'
import { entryBytesMax } from './scan.ts'

const blockBytes = 1024 * 1024

/** How the end of a file looked. */
export interface FileEnd {
  readonly bytes: number
  /** Its last line has no line end. */
  readonly isTorn: boolean
}

/**
 * A file of lines as blocks that end with a line, whatever their number; its bytes go through `digest`. Memory is bounded: what is
 * longer than any entry is handed on as it is, and is the last block.
 */
export async function* readBlocks(
  path: string,
  digest: Hash,
  read: (bytes: number) => void = () => undefined,
): AsyncGenerator<Block, FileEnd> {
  const file = await open(path, 'r')
  let total = 0
  try {
    let rest = Buffer.alloc(0)
    for (;;) {
      const buffer = Buffer.from(new ArrayBuffer(rest.length + blockBytes))
      rest.copy(buffer)
      const { bytesRead } = await file.read(buffer, rest.length, blockBytes)
      digest.update(buffer.subarray(rest.length, rest.length + bytesRead))
      total += bytesRead
      read(bytesRead)
      const filled = rest.length + bytesRead
      const end = buffer.subarray(0, filled).lastIndexOf(newline) + 1
      const isOver = bytesRead === 0 || filled - end > entryBytesMax
      const cut = isOver ? filled : end
      // Before the block is given away: its bytes go with it.
      rest = Buffer.from(buffer.subarray(cut, filled))
      if (cut > 0) yield { form: 'lines', bytes: new Uint8Array(buffer.buffer, 0, cut) }
      if (isOver) return { bytes: total, isTorn: end < filled }
    }
  } finally {
    await file.close()
  }
}

const newline = 0x0a
