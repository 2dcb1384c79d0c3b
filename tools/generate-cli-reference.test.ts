import { expect, it } from 'vitest'
import { cliReference, cliReferenceIsFresh } from './generate-cli-reference.ts'

it('U1: docs/reference/cli.md is what the help of the commands says', () => {
  expect(cliReferenceIsFresh(), 'run: node tools/generate-cli-reference.ts').toBe(true)
})

it('U1: the page documents every command and every exit code, and nothing of this machine', () => {
  const page = cliReference()
  for (const part of [
    '## portcullis up',
    '## portcullis key create',
    '## portcullis ledger tail',
    '70   an unexpected fault',
  ]) {
    expect(page).toContain(part)
  }
  expect(page).not.toContain(process.cwd())
})
