import { describe, expect, it } from 'vitest'
import type { Listener, Listeners } from '../../collect/wire/sockets.ts'
import type { GrpcDoor, Management, Target } from '../../collect/wire/target.ts'
import { w01Rule } from './w01-rule.ts'

const target: Target = { is: 'portcullis', port: 8080, version: '1.2.3' }
const grpc = { address: '127.0.0.1:50051', port: 50_051, tls: false, named: false }
const ok = { code: 0, status: 'OK' }
const door: GrpcDoor = { grpc, alive: true, health: ok, absent: { code: 12, status: 'UNIMPLEMENTED' } }
const away: GrpcDoor = { ...door, alive: false, health: { code: 14, status: 'UNAVAILABLE' } }
const management: Management = { port: 9091, version: '1.2.3' }
const at = (address: string): Listener => ({
  address,
  port: Number(address.split(':').at(-1)),
  loopback: /^(?:127\.|\[::1\])/.test(address),
})
const hardened = ['127.0.0.1:8080', '[::1]:50051', '127.0.0.1:9091']

interface Facts {
  readonly target: Target
  readonly grpcDoor: GrpcDoor
  readonly management: Management
  readonly listeners: Listeners
}

function outcomes(addresses: readonly string[], more: Partial<Facts> = {}): readonly string[] {
  const listeners = { listeners: addresses.map(at) }
  const facts: Facts = { target, grpcDoor: door, management, listeners, ...more }
  return w01Rule.judge(facts, {}).map(({ outcome, subject }) => `${subject} ${outcome}`)
}

describe('W01', () => {
  it('W01: holds where every listener is bound to loopback', () => {
    expect(outcomes(hardened)).toEqual([
      'HTTP 127.0.0.1:8080 PASS',
      'gRPC [::1]:50051 PASS',
      'Management 127.0.0.1:9091 PASS',
    ])
  })

  it('W01: is broken by each one that is bound to more', () => {
    expect(outcomes(['0.0.0.0:8080', '127.0.0.1:50051', '[::]:50051', '10.0.0.7:9091'])).toEqual([
      'HTTP 0.0.0.0:8080 FAIL',
      'gRPC 127.0.0.1:50051 PASS',
      'gRPC [::]:50051 FAIL',
      'Management 10.0.0.7:9091 FAIL',
    ])
  })

  it('W01: a port of this machine that somebody else has is not judged', () => {
    const others = { management: { port: 9091, version: '9.9.9' } }
    expect(outcomes(['127.0.0.1:8080', '127.0.0.1:50051', '0.0.0.0:9091'], others)).not.toContain(
      'Management 0.0.0.0:9091 FAIL',
    )
  })

  it.each([
    ['nothing is recognised there', { target: { is: 'no', why: 'refused' } as const }, ['target UNKNOWN']],
    ['the kernel cannot be asked', { listeners: { unreadable: 'no' } }, ['sockets UNKNOWN']],
    [
      'the gRPC listener is away',
      { grpcDoor: away },
      ['HTTP 127.0.0.1:8080 PASS', 'gRPC UNKNOWN', 'Management 127.0.0.1:9091 PASS'],
    ],
    ['they listen in another network namespace', { listeners: { listeners: [] } }, ['HTTP UNKNOWN', 'gRPC UNKNOWN']],
  ])('W01: unknown where %s', (_, more, expected) => {
    expect(outcomes(hardened, more)).toEqual(expected)
  })
})
