/** Where a secret is stored. It opens there and nowhere else (SPEC S1). */
export interface SecretPlace {
  /** Bare UUID. */
  readonly tenant: string
  readonly table: string
  readonly column: string
  readonly row: string
}

/** Texts as bytes, each behind its length: no two lists give the same bytes. */
export function joinTexts(texts: readonly string[]): Buffer {
  return Buffer.concat(
    texts.flatMap((text) => {
      const bytes = Buffer.from(text, 'utf8')
      const length = Buffer.alloc(4)
      length.writeUInt32BE(bytes.length)
      return [length, bytes]
    }),
  )
}

export function placeTexts({ tenant, table, column, row }: SecretPlace): readonly string[] {
  return [tenant, table, column, row]
}
