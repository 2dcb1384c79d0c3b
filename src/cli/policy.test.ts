import { describe, expect, it } from 'vitest'
import { fakeIo, fakeServerRoom, runLine, type FakeIo } from './fakes.ts'
import type { ServerRoom } from './server-room.ts'

const withRoom = (given: Partial<ServerRoom>): FakeIo =>
  fakeIo({ server: () => Promise.resolve(fakeServerRoom(given)) })

describe('policy check', () => {
  it('G21: says what is fine', async () => {
    expect(await runLine('policy check policies')).toMatchObject({ code: 0, out: 'Fine: 2 policies in 1 file.\n' })
  })

  it('G21: names every problem and warning, and refuses', async () => {
    const report = { ok: false, files: 1, policies: 0, problems: ['a.cedar:3: unexpected'], warnings: ['b.cedar:1: w'] }
    const room = { checkPolicies: () => Promise.resolve(report) }
    expect(await runLine('policy check policies', withRoom(room))).toEqual({
      code: 1,
      out: 'warning  b.cedar:1: w\nerror    a.cedar:3: unexpected\nThe policies cannot be used.\n',
      err: '',
    })
    const json = await runLine('policy check policies --json', withRoom(room))
    expect([json.code, JSON.parse(json.out), json.err]).toEqual([1, report, ''])
  })

  it('G21: without a folder is a wrong use', async () => {
    expect(await runLine('policy check')).toMatchObject({ code: 2, err: expect.stringContaining('no folder') })
  })
})

describe('policy schema', () => {
  it('G21: prints the schema', async () => {
    expect(await runLine('policy schema')).toMatchObject({ code: 0, out: 'namespace Portcullis {}\n' })
    expect(JSON.parse((await runLine('policy schema --json')).out)).toEqual({ schema: 'namespace Portcullis {}\n' })
  })

  it('G21: of settings that are wrong is none', async () => {
    expect(await runLine('policy schema --config /nonexistent.yaml')).toMatchObject({ code: 2, out: '' })
  })
})
