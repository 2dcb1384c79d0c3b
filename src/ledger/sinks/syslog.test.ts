import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { SyslogReceiver } from '../../../test/fakes/syslog-receiver.ts'
import { makeAuthority, makeCertificate } from '../../../test/harness/certificates.ts'
import { batchOf, chain, checkpoint, origin, secretFiles } from './sink.fixture.ts'
import { SyslogSink, type SyslogSinkSettings } from './syslog.ts'

const authority = makeAuthority()
const server = makeCertificate(authority, 'logs.example.com', ['logs.example.com', '127.0.0.1'])
const client = makeCertificate(authority, 'portcullis')
const stranger = makeAuthority('Somebody Else')
const { files, remove } = secretFiles({
  ca: authority.cert,
  strangerCa: stranger.cert,
  clientCert: client.cert,
  clientKey: client.key,
  strangerCert: stranger.cert,
  strangerKey: stranger.key,
})

let receiver: SyslogReceiver
beforeAll(async () => {
  receiver = await SyslogReceiver.start({ cert: server.cert, key: server.key })
})
beforeEach(() => {
  receiver.manner = 'fair'
  receiver.messages.length = 0
})
afterAll(async () => {
  await receiver.stop()
  remove()
})

function sinkTo(settings: Partial<SyslogSinkSettings> = {}): SyslogSink {
  const { port } = receiver
  const sink = new SyslogSink({
    name: 'syslog',
    host: '127.0.0.1',
    port,
    acknowledge: 'closed',
    caFile: files['ca'],
    ...settings,
  })
  onTestFinished(() => sink.close())
  return sink
}

const patience = (ms = 20_000): AbortSignal => AbortSignal.timeout(ms)

describe('syslog over TLS', () => {
  it('L9: sends entries as RFC 5424 with octet counting, byte for byte, and knows that they were read', async () => {
    const entries = chain(3)
    await sinkTo().send(batchOf(entries), patience())
    const hash = Buffer.from(entries[1]?.leaf ?? []).toString('hex')
    expect(receiver.messages[1]).toBe(
      `<110>1 2026-11-21T18:45:29.000001Z ledger.example portcullis - entry [portcullis@32473 origin="${origin}" seq="1" leaf="${hash}"] ${Buffer.from(entries[1]?.entry ?? []).toString()}`,
    )
    expect(receiver.messages).toHaveLength(3)
  })

  it('L9: escapes what structured data may not hold, and cuts a host that is none', async () => {
    const [entry] = chain(1)
    if (entry === undefined) throw new Error('a chain without entries')
    const torn = { ...entry, entry: Buffer.from('{}') }
    await sinkTo().send({ log: 'x', origin: 'a "b]\\/x', entries: [torn] }, patience())
    expect(receiver.messages).toEqual([
      `<110>1 - a_"b]\\ portcullis - entry [portcullis@32473 origin="a \\"b\\]\\\\/x" seq="0" leaf="${Buffer.from(entry.leaf).toString('hex')}"] {}`,
    ])
  })

  it('L8: a checkpoint is one line that can be made into its note again', async () => {
    await sinkTo().publish(checkpoint(7), patience())
    const [message = ''] = receiver.messages
    expect(message).toContain(`portcullis - checkpoint [portcullis@32473 origin="${origin}" size="7"] `)
    expect(message.slice(message.indexOf('] ') + 2).replaceAll('\\n', '\n')).toBe(checkpoint(7).note)
  })

  it('L9: a reset is no acknowledgement, and the next try finds the receiver again', async () => {
    const sink = sinkTo()
    const large = batchOf(chain(200, 'x'.repeat(10_000)))
    receiver.manner = { resetAfterBytes: 5000 }
    await expect(sink.send(large, patience())).rejects.toThrow()
    receiver.manner = 'fair'
    receiver.messages.length = 0
    await sink.send(large, patience())
    expect(receiver.messages).toHaveLength(200)
  })

  it('L9: a receiver that reads and never answers the end is no acknowledgement; `written` is for such', async () => {
    receiver.manner = 'endless'
    await expect(sinkTo().send(batchOf(chain(2)), patience(300))).rejects.toThrow('no answer in time')
    receiver.messages.length = 0
    await sinkTo({ acknowledge: 'written' }).send(batchOf(chain(2)), patience())
    await expect.poll(() => receiver.messages.length).toBe(2)
  })

  it.each(['closed', 'written'] as const)(
    'L9: a receiver that reads nothing holds nobody up for longer than the deadline (%s)',
    async (acknowledge) => {
      receiver.manner = 'deaf'
      const much = batchOf(chain(256, 'x'.repeat(40_000)))
      await expect(sinkTo({ acknowledge }).send(much, patience(500))).rejects.toThrow('no answer in time')
    },
  )

  it('L9: `written` keeps its connection, and notices between two batches that it has ended', async () => {
    const sink = sinkTo({ acknowledge: 'written' })
    const before = receiver.connections
    for (let turn = 0; turn < 3; turn += 1) await sink.send(batchOf(chain(2)), patience())
    expect(receiver.connections - before).toBe(1)
    receiver.drop()
    // The end is seen a moment later; a batch before that may be lost, as the documentation says.
    await expect
      .poll(async () => {
        await sink.send(batchOf(chain(1)), patience()).catch(() => undefined)
        return receiver.connections - before
      })
      .toBe(2)
  })

  it('L9: the certificate of the server has to be of the authority, and for the name', async () => {
    await expect(sinkTo({ caFile: files['strangerCa'] }).send(batchOf(chain(1)), patience())).rejects.toThrow(
      /certificate/,
    )
    await expect(sinkTo({ serverName: 'other.example.com' }).send(batchOf(chain(1)), patience())).rejects.toThrow(
      'other.example.com',
    )
    await sinkTo({ serverName: 'logs.example.com' }).send(batchOf(chain(1)), patience())
    expect(receiver.messages).toHaveLength(1)
  })

  it('L9: a client certificate is shown where it is set', async () => {
    const strict = await SyslogReceiver.start({
      cert: server.cert,
      key: server.key,
      ca: authority.cert,
      requestCert: true,
    })
    onTestFinished(() => strict.stop())
    const to = (settings: Partial<SyslogSinkSettings>): SyslogSink => sinkTo({ port: strict.port, ...settings })
    await expect(to({}).send(batchOf(chain(1)), patience())).rejects.toThrow()
    const wrong = { certFile: files['strangerCert'], keyFile: files['strangerKey'] }
    await expect(to(wrong).send(batchOf(chain(1)), patience())).rejects.toThrow()
    await to({ certFile: files['clientCert'], keyFile: files['clientKey'] }).send(batchOf(chain(1)), patience())
    expect(strict.messages).toHaveLength(1)
  })

  it('L9: nobody there is told as what it is', async () => {
    await expect(sinkTo({ port: 1 }).send(batchOf(chain(1)), patience())).rejects.toThrow('ECONNREFUSED')
    await expect(sinkTo({ caFile: '/nowhere' }).send(batchOf(chain(1)), patience())).rejects.toThrow(
      '/nowhere cannot be read (ENOENT)',
    )
  })
})
