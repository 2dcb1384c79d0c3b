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

  it('C2: everything else is left to the decoder', () => {
    for (const value of ['nope', 'constructor', '__proto__', '', 3, null, true, [], {}])
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
