import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cidrContains, formatAddress, isLoopback, parseAddress, parseCidr, parseIp } from './net.ts'

describe('parseAddress', () => {
  it.each([
    ['127.0.0.1:50051', '127.0.0.1', 50051],
    ['[::1]:50051', '::1', 50051],
    ['0.0.0.0:0', '0.0.0.0', 0],
    ['[::]:65535', '::', 65535],
    ['localhost:8080', 'localhost', 8080],
    ['db-1.internal:5432', 'db-1.internal', 5432],
  ])('O1: %s is a host and a port', (text, host, port) => {
    expect(parseAddress(text)).toEqual({ host, port })
    expect(formatAddress({ host, port })).toBe(text)
  })

  it.each([
    ['', /host and a port/],
    ['50051', /host and a port/],
    [':50051', /spelled out/],
    ['[]:1', /spelled out/],
    ['localhost', /host and a port/],
    ['::1:50051', /host and a port/],
    ['[::1]', /host and a port/],
    ['[127.0.0.1]:1', /neither/],
    ['[fe80::1%eth0]:1', /neither/],
    ['*:8080', /neither/],
    ['http://localhost:1', /host and a port/],
    ['a_b:1', /neither/],
    ['127.1:80', /neither/],
    ['0x7f000001:80', /neither/],
    ['256.0.0.1:80', /neither/],
    ['localhost:65536', /port/],
    ['localhost:080', /port/],
    ['localhost:-1', /host and a port/],
    [' localhost:1', /neither/],
    [`${'a'.repeat(300)}:1`, /host and a port/],
  ])('O1: %j is refused with advice', (text, message) => {
    expect(() => parseAddress(text)).toThrow(message)
  })
})

describe('isLoopback', () => {
  it.each([
    'localhost',
    'LOCALHOST',
    '127.0.0.1',
    '127.255.0.9',
    '::1',
    '[::1]',
    '0:0:0:0:0:0:0:1',
    '::ffff:127.0.0.1',
  ])('O1: %s stays on this machine', (host) => {
    expect(isLoopback(host)).toBe(true)
  })

  it.each([
    '',
    '0.0.0.0',
    '::',
    '128.0.0.1',
    '::2',
    '10.0.0.1',
    'localhost.evil.com',
    '127.1',
    '127.0.0.1.nip.io',
    '::127.0.0.1',
  ])('O1: %j may leave this machine', (host) => {
    expect(isLoopback(host)).toBe(false)
  })
})

describe('networks', () => {
  it.each([
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '11.0.0.0', false],
    ['10.0.0.0/8', '::ffff:10.0.0.1', true],
    ['::ffff:10.0.0.0/104', '10.1.2.3', true],
    ['192.0.2.7/32', '192.0.2.7', true],
    ['192.0.2.7/32', '192.0.2.6', false],
    ['192.0.2.128/25', '192.0.2.127', false],
    ['0.0.0.0/0', '8.8.8.8', true],
    ['0.0.0.0/0', '::1', false],
    ['::/0', '2001:db8::1', true],
    ['::/0', '8.8.8.8', false],
    ['::/0', '::ffff:8.8.8.8', false],
    ['fd00::/8', 'fdff::1', true],
    ['2001:db8::/33', '2001:db8:8000::', false],
    ['10.0.0.0/8', 'not an address', false],
  ])('G12: %s and %s: %s', (network, address, expected) => {
    expect(cidrContains(parseCidr(network), address)).toBe(expected)
  })

  it.each([
    ['10.0.0.0', /no prefix/],
    ['10.0.0.1/8', /bits set/],
    ['10.0.0.0/33', /out of range/],
    ['10.0.0.0/08', /out of range/],
    ['10.0.0.0/', /out of range/],
    ['::ffff:10.0.0.0/80', /out of range/],
    ['10.0.0/8', /not a network/],
    ['010.0.0.0/8', /not a network/],
    ['fd00::/8/8', /not a network/],
    ['', /not a network/],
    ['x'.repeat(10_000), /not a network/],
  ])('G12: %j is no network and the message says why', (text, message) => {
    expect(() => parseCidr(text)).toThrow(message)
  })

  it('G12: an address is a member of every network cut from it, and of none that differs within the prefix', () => {
    const bytes = fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 4, maxLength: 4 })
    fc.assert(
      fc.property(bytes, fc.integer({ min: 1, max: 32 }), (address, bits) => {
        const value = address.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n)
        const base = (value >> BigInt(32 - bits)) << BigInt(32 - bits)
        const network = parseCidr(`${dotted(base)}/${bits}`)
        expect(cidrContains(network, dotted(value))).toBe(true)
        expect(cidrContains(network, dotted(value ^ (1n << BigInt(32 - bits))))).toBe(false)
      }),
    )
  })
})

describe('parseIp', () => {
  it.each([
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.4 ',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8::',
    'g::',
    '12345::',
    '1.2.3.4::',
    '::1.2.3',
    ':1::2',
    '[::1]',
    '::1%lo',
  ])('G12: %j is not an address', (text) => {
    expect(parseIp(text)).toBeUndefined()
  })

  it('G12: every IPv6 address written in full or shortened reads as the same bytes', () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const ip = parseIp(text)
        expect(ip?.bytes).toHaveLength(ip?.family === 4 ? 4 : 16)
        if (ip?.family !== 6) return
        const pairs = Array.from({ length: 8 }, (_, at) =>
          ((ip.bytes[at * 2] ?? 0) * 256 + (ip.bytes[at * 2 + 1] ?? 0)).toString(16),
        )
        expect(parseIp(pairs.join(':'))).toEqual(ip)
      }),
    )
  })
})

function dotted(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join('.')
}
