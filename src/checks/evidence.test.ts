import { expect, it } from 'vitest'
import { SourceFile } from './collect/source-file.ts'
import { failing, stated } from './evidence.ts'

const detail = (text: string): string => stated('repo', 'FAIL', text).detail

it.each([
  ['pip installs https://u:hunter@h/x.whl', 'pip installs https://***@h/x.whl'],
  ['git clones https://ghp_0123456789abcdefghij@github.com/a/b', 'git clones https://***@github.com/a/b'],
])('V5: a password in an address is not part of what is said: %s', (text, said) => {
  expect(detail(text)).toBe(said)
})

it.each(['docker://alpine:3@sha256:0123', 'https://github.com/a/b@main', 'git+ssh://git@github.com/a/b'])(
  'V5: an address without a password is said as it is: %s',
  (text) => {
    expect(detail(text)).toBe(text)
  },
)

it('V5: addresses without end are looked through in linear time', () => {
  const before = performance.now()
  detail('://a:'.repeat(200_000))
  expect(performance.now() - before).toBeLessThan(3000)
})

it('V4: of two long subjects that begin alike each is its own', () => {
  const subject = (text: string): string => {
    const file = new SourceFile('a', text)
    return failing({ file, start: 0, end: text.length }, 'It is wrong.').subject
  }
  expect(subject(`${'a'.repeat(3000)}b`)).not.toBe(subject(`${'a'.repeat(3000)}c`))
})
