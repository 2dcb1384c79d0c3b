import { describe, expect, it } from 'vitest'
import { parseSockets } from './sockets.ts'

const head = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode'
const rest = '00000000:00000000 00:00000000 00000000     0        0 7639787 1 00000000d9f249a3 100 0 0 10 0'
const v6 = (local: string, state: string): string =>
  `   0: ${local} 00000000000000000000000000000000:0000 ${state} ${rest}`

describe('the sockets of the kernel', () => {
  it('W01: reads IPv4 and keeps only what listens', () => {
    const text = [
      head,
      `   0: 0100007F:C383 00000000:0000 0A ${rest}`,
      `   1: 00000000:1F90 00000000:0000 0A ${rest}`,
      `   2: 0100007F:601E 0100007F:E982 06 00000000:00000000 03:00001183 00000000     0        0 0 3 00000000c2b46328`,
      `  11: 0501A8C0:0016 0201A8C0:D431 01 ${rest}`,
      '',
    ].join('\n')
    expect(parseSockets(text, 'LE')).toEqual([
      { host: '127.0.0.1', port: 50_051 },
      { host: '0.0.0.0', port: 8080 },
    ])
  })

  it('W01: reads IPv6 word by word', () => {
    const text = [
      head,
      v6('00000000000000000000000001000000:C383', '0A'),
      v6('00000000000000000000000000000000:1F90', '0A'),
      v6('0000000000000000FFFF00000100007F:2383', '0A'),
      v6('B80D01200000000000000000010000FE:0050', '0A'),
      v6('00000000000000000000000001000000:0051', '01'),
    ].join('\n')
    expect(parseSockets(text, 'LE')).toEqual([
      { host: '::1', port: 50_051 },
      { host: '::', port: 8080 },
      { host: '::ffff:7f00:1', port: 9091 },
      { host: '2001:db8::fe00:1', port: 80 },
    ])
  })

  it('W01: a machine with the other byte order writes the same address the other way round', () => {
    expect(parseSockets(`${head}\n   0: 7F000001:C383 00000000:0000 0A ${rest}`, 'BE')).toEqual([
      { host: '127.0.0.1', port: 50_051 },
    ])
  })

  it('W01: text that is no list of sockets holds none', () => {
    expect(parseSockets('nonsense\n0: xyz:1 0 0A\n', 'LE')).toEqual([])
  })
})
