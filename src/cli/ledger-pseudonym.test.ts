import { describe, expect, it } from 'vitest'
import { fakeIo, fakeServer, runLine, type FakeServer, type Seen } from './fakes.ts'

const pseudonym = 'h1:2:AAAAAAAAAAAAAAAAAAAAAA'
const server = (reply: object = { pseudonyms: [{ version: 2, pseudonym }] }): Promise<FakeServer> =>
  fakeServer(() => ({ body: reply }))
const ioFor = ({ url }: FakeServer, input?: string) =>
  fakeIo({ env: { PORTCULLIS_URL: url, PORTCULLIS_KEY: 'pc_x' }, ...(input === undefined ? {} : { input }) })
const messages = (seen: readonly Seen[]) => seen.map(({ path, message }) => [path.split('/').at(-1), message])

describe('ledger pseudonym', () => {
  it('L3: prints what stands for a value, one line for each version', async () => {
    await using answering = await server()
    const { code, out } = await runLine('ledger pseudonym jane@example.com', ioFor(answering))
    expect([code, out]).toEqual([0, `${pseudonym}\n`])
    expect(messages(answering.seen)).toEqual([['GetPseudonyms', { value: 'jane@example.com' }]])
    const json = await runLine('ledger pseudonym jane@example.com --json', ioFor(answering))
    expect(JSON.parse(json.out)).toEqual({ pseudonyms: [{ version: 2, pseudonym }] })
  })

  it('L3: reads the first line of stdin, so that the value is in no history', async () => {
    await using answering = await server()
    const { code } = await runLine('ledger pseudonym -', ioFor(answering, ' jane@example.com \nand more'))
    expect(code).toBe(0)
    expect(messages(answering.seen)).toEqual([['GetPseudonyms', { value: 'jane@example.com' }]])
  })

  it('L3: says where there is no key yet, and asks for a value where there is none', async () => {
    await using answering = await server({})
    const none = await runLine('ledger pseudonym jane@example.com', ioFor(answering))
    expect([none.code, none.out]).toEqual([0, ''])
    expect(none.err).toContain('no key yet')
    for (const [line, input] of [
      ['ledger pseudonym', undefined],
      ['ledger pseudonym -', ''],
      ['ledger pseudonym -', 'x'.repeat(5000)],
      ['ledger pseudonym a@example.com --tenant ten_1', undefined],
      ['ledger pseudonym a@example.com --destroy-key 1', undefined],
      ['ledger pseudonym --destroy-key 0', undefined],
    ] as const)
      expect((await runLine(line, ioFor(answering, input))).code, line).toBe(2)
    expect(answering.seen).toHaveLength(1)
  })

  it('L3: destroys a key only for who types it out', async () => {
    await using answering = await server({ destroyedAt: '2026-11-21T12:00:00Z' })
    const refused = await runLine('ledger pseudonym --destroy-key 2', ioFor(answering, 'yes\n'))
    expect([refused.code, answering.seen.length]).toEqual([2, 0])
    expect(refused.err).toContain('Nothing was destroyed.')
    const done = await runLine('ledger pseudonym --destroy-key 2 --tenant ten_1', ioFor(answering, 'destroy key 2\n'))
    expect([done.code, done.out]).toEqual([0, 'Version 2 of the key is destroyed.\n'])
    expect(messages(answering.seen)).toEqual([['DestroyPseudonymKey', { version: 2, tenantId: 'ten_1' }]])
  })
})
