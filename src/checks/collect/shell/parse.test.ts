import { expect, it } from 'vitest'
import { parseScript } from './parse.ts'

it.each([
  ['long', 'pip install a '.repeat(100_000)],
  ['nested', '$('.repeat(100_000)],
  ['nested', '"${a:-'.repeat(100_000)],
  ['nested', '`'.repeat(100_000)],
])('V10: a script that is too %s to be read is refused at once', (why, text) => {
  expect(() => parseScript(text)).toThrow(why)
})

it('V10: a script with ordinary substitutions is read', () => {
  expect(parseScript('x=$(date "$(cat a)")\n'.repeat(2000)).errors ?? []).toEqual([])
})
