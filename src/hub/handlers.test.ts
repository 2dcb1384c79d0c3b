import { expect, it } from 'vitest'
import { unhandledMethods } from './handlers.ts'

it('C1: every method of the contract has a handler', () => {
  expect(unhandledMethods()).toEqual([])
})
