import { describe, expect, it } from 'vitest'
import type { GrpcAnswer } from '../../collect/wire/grpc.ts'
import type { ReflectionAnswer } from '../../collect/wire/reflection.ts'
import type { GrpcDoor, Target } from '../../collect/wire/target.ts'
import { w09Rule } from './w09-rule.ts'

const found: Target = { is: 'portcullis', port: 8080, version: '1.2.3' }
const named = { address: 'hub:443', port: 443, tls: true, named: true }
const ok: GrpcAnswer = { code: 0, status: 'OK' }
const unimplemented: GrpcAnswer = { code: 12, status: 'UNIMPLEMENTED' }
const refused: GrpcAnswer = { code: 16, status: 'UNAUTHENTICATED' }
const silent: GrpcAnswer = { code: 4, status: 'DEADLINE_EXCEEDED' }
const door: GrpcDoor = { grpc: named, alive: true, health: ok, absent: unimplemented }
const message = new Uint8Array([1])

function judge(v1: Omit<ReflectionAnswer, 'version'>, more: Partial<GrpcDoor> = {}, target = found): readonly string[] {
  const reflection: readonly ReflectionAnswer[] = [
    { version: 'v1', ...v1 },
    { version: 'v1alpha', answer: unimplemented },
  ]
  const facts = { target, grpcDoor: { ...door, ...more }, reflection }
  return w09Rule.judge(facts, {}).map(({ outcome, subject }) => `${subject} ${outcome}`)
}

const v1 = 'grpc.reflection.v1'
const alpha = 'grpc.reflection.v1alpha PASS'

describe('W09', () => {
  it('W09: holds where neither version is served and the health method is', () => {
    expect(judge({ answer: unimplemented })).toEqual([`${v1} PASS`, alpha])
  })

  it('W09: is broken where the services are listed, or anything is answered', () => {
    expect(judge({ answer: { ...ok, message }, services: ['a.B'] })).toEqual([`${v1} FAIL`, alpha])
    expect(judge({ answer: { ...ok, message } })).toEqual([`${v1} FAIL`, alpha])
  })

  it('W09: a refusal means that it is there only where methods that do not exist are said not to exist', () => {
    expect(judge({ answer: refused })).toEqual([`${v1} WARN`, alpha])
    expect(judge({ answer: refused }, { absent: refused })).toEqual([`${v1} UNKNOWN`, alpha])
  })

  it('W09: silence, and an end without an answer, tell nothing', () => {
    expect(judge({ answer: silent })).toEqual([`${v1} UNKNOWN`, alpha])
    expect(judge({ answer: ok })).toEqual([`${v1} UNKNOWN`, alpha])
  })

  it.each([
    ['is away', { alive: false, health: { code: 14, status: 'UNAVAILABLE' } }],
    ['says yes to everything', { absent: ok }],
  ])('W09: unknown where the gRPC server %s', (_, more) => {
    expect(judge({ answer: unimplemented }, more)).toEqual(['target UNKNOWN'])
  })

  it('W09: a port that nobody named is believed only beside a Portcullis', () => {
    const nothing: Target = { is: 'no', why: 'refused' }
    expect(judge({ answer: unimplemented }, { grpc: { ...named, named: false } }, nothing)).toEqual(['target UNKNOWN'])
    expect(judge({ answer: unimplemented }, {}, nothing)).toEqual([`${v1} PASS`, alpha])
  })
})
