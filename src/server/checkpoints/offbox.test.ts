import { describe, expect, it } from 'vitest'
import { refuse } from '#core'
import type { RecordedOutcome, WriterMember, WriterPort } from '#hub'
import type { LedgerRecord } from '#ledger'
import type { Covered } from './checkpointer.ts'
import { Offbox, type OffboxParts } from './offbox.ts'

type Seen = Pick<LedgerRecord, 'action' | 'outcome' | 'code'>

function record(outcome: RecordedOutcome, kind: string): LedgerRecord {
  const code = outcome.outcome === 'allow' ? undefined : outcome.code
  return {
    log: 'acme',
    tenantId: 't',
    caller: 'c',
    actor: undefined,
    action: kind,
    outcome: outcome.outcome,
    code,
    requestId: 'r',
    body: '{}',
  }
}

function writerOf(seen: Seen[], refuses: (member: WriterMember) => boolean = () => false): WriterPort {
  return {
    submit: (member) => {
      if (refuses(member)) return Promise.resolve(refuse('audit.unavailable', 'away'))
      const { action, outcome, code } = member.record({ outcome: 'allow' })
      seen.push({ action, outcome, code })
      return Promise.resolve({ refused: false, reply: undefined, bytes: undefined, replayed: false })
    },
  }
}

function offbox(parts: Partial<OffboxParts> & Pick<OffboxParts, 'writer'>): Offbox {
  return new Offbox({
    cover: () => Promise.resolve({ ok: true, size: 1 }),
    sinks: 2,
    acknowledgements: 1,
    later: () => undefined,
    ...parts,
  })
}

describe('the audit mode required_offbox', () => {
  it('L7: goes on once the intent is committed and covered, in this order', async () => {
    const order: string[] = []
    const seen: Seen[] = []
    const writer = writerOf(seen)
    const cover = (log: string, atLeast: number): Promise<Covered> => {
      order.push(`${log} ${atLeast} after ${seen.length}`)
      return Promise.resolve({ ok: true, size: 5 })
    }
    expect(await offbox({ writer, cover, acknowledgements: 2 }).intend(record)).toBeUndefined()
    expect([seen, order]).toEqual([[{ action: 'intent', outcome: 'allow', code: undefined }], ['acme 2 after 1']])
  })

  it('L7: refuses and records an aborted entry where the sinks do not acknowledge', async () => {
    const seen: Seen[] = []
    const refused = await offbox({
      writer: writerOf(seen),
      cover: () => Promise.resolve({ ok: false, why: 'too few' }),
    }).intend(record)
    expect(refused).toMatchObject({ refused: true, code: 'audit.offbox_unavailable' })
    expect(seen).toEqual([
      { action: 'intent', outcome: 'allow', code: undefined },
      { action: 'aborted', outcome: 'deny', code: 'audit.offbox_unavailable' },
    ])
  })

  it('L7: a checkpoint that never comes is given up at the deadline, and whoever waits for it is told', async () => {
    const seen: Seen[] = []
    let told = false
    const cover = (_log: string, _atLeast: number, signal: AbortSignal): Promise<Covered> =>
      new Promise(() => signal.addEventListener('abort', () => (told = true)))
    const refused = await offbox({ writer: writerOf(seen), cover, deadlineMs: 30 }).intend(record)
    expect(refused).toMatchObject({ code: 'audit.offbox_unavailable', reason: expect.stringContaining('too long') })
    expect([told, seen.at(-1)?.action]).toEqual([true, 'aborted'])
  })

  it('L7: without its intent written down nothing is signed and nothing done', async () => {
    let covered = 0
    const cover = (): Promise<Covered> => {
      covered += 1
      return Promise.resolve({ ok: true, size: 1 })
    }
    const refused = await offbox({ writer: writerOf([], () => true), cover }).intend(record)
    expect([refused?.code, covered]).toEqual(['audit.unavailable', 0])
  })

  it('L7: an aborted entry that the store does not take now is kept for later', async () => {
    const kept: string[] = []
    let calls = 0
    const writer = writerOf([], () => (calls += 1) > 1)
    const cover = (): Promise<Covered> => Promise.resolve({ ok: false, why: 'away' })
    await offbox({ writer, cover, later: ({ action }) => kept.push(action) }).intend(record)
    expect(kept).toEqual(['aborted'])
  })

  it('L7: fails closed where nothing can be signed', async () => {
    const cover = (): Promise<Covered> => Promise.reject(new Error('the store is gone'))
    const refused = await offbox({ writer: writerOf([]), cover }).intend(record)
    expect(refused).toMatchObject({ code: 'audit.offbox_unavailable', reason: expect.stringContaining('gone') })
  })

  it('L7: is for methods that say so, where there are sinks and acknowledgements are asked for', () => {
    const writer = writerOf([])
    const off = { audit: 'required_offbox', needsSink: false } as const
    expect(offbox({ writer }).holds(off)).toBe(true)
    expect(offbox({ writer }).holds({ audit: 'required', needsSink: false })).toBe(false)
    expect(offbox({ writer, sinks: 0 }).holds(off)).toBe(false)
    expect(offbox({ writer, acknowledgements: 0 }).holds(off)).toBe(false)
    expect(offbox({ writer, sinks: 0 }).holds({ ...off, needsSink: true })).toBe(true)
  })

  it('L7: who asks for a copy outside is refused where there is none, and gets one where none is asked for in general', async () => {
    const none = await offbox({ writer: writerOf([]), sinks: 0 }).intend(record)
    expect(none).toMatchObject({ code: 'audit.offbox_unavailable', reason: expect.stringContaining('audit.sinks') })
    const wanted: number[] = []
    const cover = (_log: string, atLeast: number): Promise<Covered> => {
      wanted.push(atLeast)
      return Promise.resolve({ ok: true, size: 1 })
    }
    expect(await offbox({ writer: writerOf([]), cover, acknowledgements: 0 }).intend(record)).toBeUndefined()
    expect(wanted).toEqual([1])
  })
})
