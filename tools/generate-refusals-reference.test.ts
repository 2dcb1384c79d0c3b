import { expect, it } from 'vitest'
import { refusals } from '#core'
import { refusalsReference, refusalsReferenceIsFresh } from './generate-refusals-reference.ts'

it('C3: docs/reference/refusals.md is what the table of refusals says', () => {
  expect(refusalsReferenceIsFresh(), 'run: node tools/generate-refusals-reference.ts').toBe(true)
})

it('C3: the page explains every code', () => {
  for (const [code, { http }] of Object.entries(refusals))
    expect(refusalsReference()).toContain(`| \`${code}\` | ${http} |`)
})
