import { describe, expect, it } from 'vitest'
import { SourceFile } from '../source-file.ts'
import { fillEnvironment } from './environment.ts'
import { lexCaddyfile } from './lexer.ts'
import { structureOf } from './structure.ts'

const words = (text: string): readonly string[] => lexCaddyfile(text).map((token) => token.text)

describe('the words of a Caddyfile', () => {
  it.each([
    ['a heredoc', 'respond <<END\n  a {\n    b\n  END 200\n', ['respond', 'a {\n  b', '200']],
    ['an empty heredoc', 'respond <<END\nEND\n', ['respond', '']],
    ['a heredoc in CRLF', 'respond <<END\r\n  a\r\n  END\r\nnext', ['respond', 'a', 'next']],
    ['no heredoc, for the blank', 'respond <<END 200\n', ['respond', '<<END', '200']],
    ['an escaped heredoc', 'respond \\<<END\n', ['respond', '<<END']],
    ['a quote within a word', 'a"b c"', ['a"b', 'c"']],
    ['a quote that is never closed', 'a "b c', ['a', 'b c']],
    ['an escaped line end', 'a \\\n  b', ['a', 'b']],
  ])('V10: %s', (_, text, expected) => {
    expect(words(text)).toEqual(expected)
  })

  it.each(['<<END\n a\n', '<<\n a\n', '<<a!\n x\na!\n', '  <<END\n a\n  END\n'])('V10: is refused: %j', (text) => {
    expect(() => lexCaddyfile(text)).toThrow()
  })

  it('V10: a word stands where it is written, behind variables and in snippets', () => {
    const text = '(s) {\n\theader X {args[0]}\n}\n{$HOST:a.test} {\n\timport s y\n\trespond 404\n}\n'
    const { sites } = structureOf(new SourceFile('Caddyfile', text), () => [])
    const [site] = sites
    const [header, respond] = site?.directives ?? []
    expect(text.slice(site?.addresses[0]?.start, site?.addresses[0]?.end)).toBe('{$HOST:a.test}')
    expect(text.slice(header?.args[1]?.start, header?.args[1]?.end)).toBe('{args[0]}')
    expect(header?.args[1]?.text).toBe('y')
    expect(text.slice(respond?.start, respond?.end)).toBe('respond 404')
  })

  it('V10: a variable without a default stays as it is written', () => {
    expect(fillEnvironment('{$A}{$B:}{$C:c}').text).toBe('{$A}c')
  })
})
