import { afterEach, describe, expect, it } from 'vitest'
import { selfSigned } from '../../../test/fakes/certificate.ts'
import { HttpTarget, misbehave, reply } from '../../../test/fakes/http-target.ts'
import { CloudtrailSink } from './cloudtrail.ts'
import { HttpSink } from './http.ts'
import { NotAcknowledged } from './not-acknowledged.ts'
import { OtlpSink } from './otlp.ts'
import type { Sink } from './ports.ts'
import { S3Sink } from './s3.ts'
import { batchOf, chain, checkpoint, secretFiles } from './sink.fixture.ts'
import { SplunkSink } from './splunk.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean()
})

type Make = (url: string, more?: { readonly caFile?: string; readonly allowPrivate?: boolean }) => Sink

function files() {
  const made = secretFiles({ token: 'token-of-the-test', id: 'key-of-the-test', secret: 'secret-of-the-test' })
  cleanups.push(made.remove)
  return {
    tokenFile: made.files['token'] ?? '',
    accessKeyIdFile: made.files['id'],
    secretAccessKeyFile: made.files['secret'],
  }
}

const own = { allowPrivate: true }
const channelArn = 'arn:aws:cloudtrail:eu-central-1:123456789012:channel/0e6f0e7a'
const sinks: Readonly<Record<string, Make>> = {
  http: (url, more) => new HttpSink({ name: 'http', url, tokenFile: files().tokenFile, ...own, ...more }),
  otlp: (endpoint, more) => new OtlpSink({ name: 'otlp', endpoint, ...own, ...more }),
  splunk: (url, more) =>
    new SplunkSink({ name: 'splunk', url, tokenFile: files().tokenFile, acknowledge: 'indexed', ...own, ...more }),
  s3: (endpoint, more) =>
    new S3Sink({
      name: 's3',
      bucket: 'b',
      region: 'eu-central-1',
      forcePathStyle: true,
      endpoint,
      ...files(),
      ...own,
      ...more,
    }),
  cloudtrail: (endpoint, more) =>
    new CloudtrailSink({ name: 'cloudtrail', channelArn, endpoint, ...files(), ...own, ...more }),
}
const kinds = Object.keys(sinks)

async function start(always: Parameters<typeof HttpTarget.start>[0], more?: Parameters<typeof HttpTarget.start>[1]) {
  const target = await HttpTarget.start(always, more)
  cleanups.push(() => target.stop())
  return target
}

function sink(kind: string, ...given: Parameters<Make>): Sink {
  const made = sinks[kind]?.(...given)
  if (made === undefined) throw new Error(`no sink of kind ${kind}`)
  cleanups.push(() => made.close())
  return made
}

const patience = () => AbortSignal.timeout(25_000)

async function failureOf(work: Promise<unknown>): Promise<Error> {
  const failed: unknown = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!(failed instanceof Error)) throw new Error('it was acknowledged')
  return failed
}

describe.each(kinds)('%s', (kind) => {
  it('L9: a target that is away or hangs acknowledges nothing within the signal', async () => {
    const target = await start(misbehave.hang)
    for (const work of [
      () => sink(kind, target.url).send(batchOf(chain(2)), AbortSignal.timeout(150)),
      () => sink(kind, target.url).publish(checkpoint(2), AbortSignal.timeout(150)),
      () => sink(kind, 'http://127.0.0.1:9').send(batchOf(chain(2)), patience()),
    ]) {
      expect((await failureOf(work())).message).not.toContain('of-the-test')
    }
  })

  it('L9: 429 is no acknowledgement, and its Retry-After is passed on', async () => {
    const target = await start(misbehave.tooMany)
    const failed = await failureOf(sink(kind, target.url).send(batchOf(chain(2)), patience()))
    expect(failed).toBeInstanceOf(NotAcknowledged)
    expect(failed).toMatchObject({ message: expect.stringContaining('429'), retryAfterMs: 7000 })
  })

  it.each([
    ['500', misbehave.fail, /500/],
    ['a redirect', misbehave.redirect, /307/],
    ['401', reply(401, 'who are you?'), /401.*credentials/],
    ['a reply that is cut off', misbehave.closeMidReply, /broke|aborted|reset/i],
    ['a connection that is cut off', misbehave.closeBeforeReply, /./],
  ])('L9: %s is no acknowledgement', async (_what, answer, why) => {
    const target = await start(answer)
    const once = sink(kind, target.url)
    const failed = await failureOf(once.send(batchOf(chain(2)), patience()))
    expect(failed.message).toMatch(kind === 's3' && failed.message.includes('401') ? /401/ : why)
    expect(failed.message).not.toContain('of-the-test')
    await failureOf(once.publish(checkpoint(2), patience()))
    expect(target.received.map(({ url }) => url).join()).not.toContain('meta-data')
  })

  it.skipIf(kind === 'http')('L9: 200 without an acknowledgement is none', async () => {
    const target = await start(misbehave.lie)
    const failed = await failureOf(sink(kind, target.url).send(batchOf(chain(2)), patience()))
    expect(failed.message).toMatch(/something else/)
  })

  it.skipIf(kind === 'http')('L9: a reply without end is read to its bound and is no acknowledgement', async () => {
    const target = await start(misbehave.endless)
    const failed = await failureOf(sink(kind, target.url).send(batchOf(chain(2)), patience()))
    expect(failed.message).toMatch(/does not end/)
  })

  it('O11: a target in the own network is refused unless that is allowed, metadata always', async () => {
    const target = await start(reply(200))
    const refused = await failureOf(
      sink(kind, target.url.replace('http:', 'https:'), { allowPrivate: false }).send(batchOf(chain(1)), patience()),
    )
    expect(refused.message).toMatch(/allowPrivate/)
    const metadata = await failureOf(sink(kind, 'http://169.254.169.254').send(batchOf(chain(1)), patience()))
    expect(metadata.message).toMatch(/refused always/)
    expect(target.received).toEqual([])
  })

  it('L9: the certificate of the target is checked', async () => {
    const tls = selfSigned()
    const target = await start(misbehave.fail, { tls })
    expect((await failureOf(sink(kind, target.url).send(batchOf(chain(1)), patience()))).message).toMatch(/self-signed/)
    const trusted = secretFiles({ ca: tls.cert })
    cleanups.push(trusted.remove)
    const caFile = trusted.files['ca'] ?? ''
    expect((await failureOf(sink(kind, target.url, { caFile }).send(batchOf(chain(1)), patience()))).message).toMatch(
      /500/,
    )
  })
})
