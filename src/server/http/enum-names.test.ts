import { describe, expect, it } from 'vitest'
import { FinishRunRequestSchema, StartRunRequestSchema, TaskStateSchema } from '@portcullis/contract'
import { expandEnumNames } from './enum-names.ts'

describe('short enum names', () => {
  it('C2: every value may be written without its prefix, in any case', () => {
    const prefix = 'TASK_STATE_'
    for (const { name } of TaskStateSchema.values) {
      const short = name.slice(prefix.length)
      for (const written of [name, short, short.toLowerCase()])
        expect(expandEnumNames(FinishRunRequestSchema, { status: written })).toEqual({ status: name })
    }
  })

  it('C2: a text that is no value is refused with those that are, and is not repeated', () => {
    const choices = /^status must be one of .*COMPLETED, FAILED, CANCELED.*$/
    for (const value of ['nope', 'constructor', '__proto__', ''])
      expect(() => expandEnumNames(FinishRunRequestSchema, { status: value })).toThrow(choices)
    expect(() => expandEnumNames(FinishRunRequestSchema, { status: 'nope' })).not.toThrow(/nope|UNSPECIFIED/)
  })

  it('C2: everything else is left to the decoder', () => {
    for (const value of [3, null, true, [], {}])
      expect(expandEnumNames(FinishRunRequestSchema, { status: value })).toEqual({ status: value })
    for (const document of [null, 'text', 5, [], [{ status: 'completed' }], undefined])
      expect(expandEnumNames(FinishRunRequestSchema, document)).toEqual(document)
    const untouched = { workflow: 'completed' }
    expect(expandEnumNames(StartRunRequestSchema, untouched)).toBe(untouched)
  })

  it('C2: a document with __proto__ stays a plain one, its own member and all', () => {
    const expanded = expandEnumNames(
      FinishRunRequestSchema,
      JSON.parse('{"__proto__":{"status":"x"},"status":"failed"}'),
    )
    expect(Object.hasOwn(expanded as object, '__proto__')).toBe(true)
    expect(Object.getPrototypeOf(expanded)).toBe(Object.prototype)
  })
})
