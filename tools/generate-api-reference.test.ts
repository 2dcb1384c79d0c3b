import { expect, it } from 'vitest'
import { methods } from '@portcullis/contract'
import { scopes } from '#core'
import { apiReference, apiReferenceIsFresh } from './generate-api-reference.ts'

it('C1: docs/reference/api.md is what the contract says', () => {
  expect(apiReferenceIsFresh(), 'run: node tools/generate-api-reference.ts').toBe(true)
})

it('C1: the page has a section for every method, and every scope', () => {
  const page = apiReference()
  for (const path of methods.keys()) expect(page).toContain(`### ${path.slice('/portcullis.v1.'.length)}\n`)
  for (const scope of scopes.keys()) expect(page).toContain(`| \`${scope}\` |`)
  expect(page).toContain('The reply is the only place where the key is ever shown.')
})
