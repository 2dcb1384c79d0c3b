import { describe, expect, it } from 'vitest'
import { fakeIo, fakeServerRoom, runLine, type FakeIo } from './fakes.ts'
import type { ServerRoom } from './server-room.ts'

const withRoom = (given: Partial<ServerRoom>): FakeIo =>
  fakeIo({ server: () => Promise.resolve(fakeServerRoom(given)) })

const letter = {
  webhook: 'pager',
  event: 'main/1042',
  action: 'cost.drift',
  attempts: 7,
  givenUpAt: '2026-11-21T18:45:29.000Z',
  error: 'it answered 500',
}

describe('portcullis webhooks', () => {
  it('O11: lists what was given up and why', async () => {
    const asked: unknown[] = []
    const listDeadLetters = async (place: object, webhook: string | undefined) => {
      asked.push(place, webhook)
      return [letter]
    }
    const { code, out } = await runLine(
      'webhooks dead-letters --webhook pager --config p.yaml',
      withRoom({ listDeadLetters }),
    )
    expect([code, asked]).toEqual([0, [{ configFile: 'p.yaml', env: {} }, 'pager']])
    expect(out).toContain('pager    main/1042  cost.drift  7      2026-11-21T18:45:29.000Z  it answered 500')
    expect((await runLine('webhooks dead-letters')).out).toBe('Nothing was given up.\n')
    const json = await runLine('webhooks dead-letters --json', withRoom({ listDeadLetters }))
    expect(JSON.parse(json.out)).toEqual({ deadLetters: [letter] })
  })

  it('O11: sends one again, or all, and only where that is said', async () => {
    const asked: unknown[] = []
    const replayDeadLetters = async (_place: object, ...rest: readonly unknown[]) => asked.push(rest)
    const one = await runLine('webhooks replay pager main/1042', withRoom({ replayDeadLetters }))
    const all = await runLine('webhooks replay pager --all --json', withRoom({ replayDeadLetters }))
    expect(asked).toEqual([
      ['pager', 'main/1042'],
      ['pager', undefined],
    ])
    expect([one.out, JSON.parse(all.out)]).toEqual(['1 event is sent again.\n', { webhook: 'pager', replayed: 2 }])
    for (const line of ['webhooks replay pager', 'webhooks replay pager main/1 --all']) {
      const { code, err } = await runLine(line, withRoom({ replayDeadLetters }))
      expect([code, asked.length]).toEqual([2, 2])
      expect(err).toContain('Name an event as dead-letters lists it, or say --all.')
    }
  })

  it('O11: says whether a test event was taken', async () => {
    expect((await runLine('webhooks test pager')).out).toBe('pager took ent_1.\n')
    const testWebhook = async () => ({ id: 'ent_1', problem: 'it answered 401' })
    const { code, err } = await runLine('webhooks test pager', withRoom({ testWebhook }))
    expect(code).toBe(3)
    expect(err).toContain('pager did not take the event: it answered 401.')
  })
})
