/** One tag of a document with its attributes, as they are written. */
export interface Tag {
  readonly name: string
  readonly attributes: ReadonlyMap<string, string>
}

// What the writers of these formats produce, and nothing beyond it: an attribute that is not quoted is no tag.
const tag = /<(\/?)([a-z][a-z0-9-]*)((?: [a-z-]+="[^"<>]*")*)(\/?)>/g
const attribute = /([a-z-]+)="([^"]*)"/g

/**
 * The tags of a document. Throws where a `<` begins none, where a tag is not closed or where one is closed that is not open; those in
 * `single` need no end.
 */
export function tagsOf(document: string, single: readonly string[] = []): readonly Tag[] {
  const body = document.replace(/^<(?:\?xml [^>]*\?|!doctype html)>/, '')
  const stray = body.replaceAll(tag, '').search(/[<>]/)
  if (stray !== -1) throw new Error(`markup outside of tags: ${body.replaceAll(tag, '').slice(stray, stray + 80)}`)
  const open: string[] = []
  const tags: Tag[] = []
  for (const [, closing = '', name = '', attributes = '', empty = ''] of body.matchAll(tag)) {
    if (closing === '/') {
      const last = open.pop()
      if (last !== name) throw new Error(`</${name}> closes <${last ?? ''}>`)
      continue
    }
    const pairs = Array.from(attributes.matchAll(attribute), ([, key = '', value = '']) => [key, value] as const)
    tags.push({ name, attributes: new Map(pairs) })
    if (empty === '' && !single.includes(name)) open.push(name)
  }
  if (open.length > 0) throw new Error(`<${open.join('>, <')}> is not closed`)
  return tags
}
