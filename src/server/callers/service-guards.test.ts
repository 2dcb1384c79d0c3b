import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, describe, expect, it } from 'vitest'
import { HubService, IdentityService, methodOf } from '@portcullis/contract'
import { Secret } from '#core'
import { judgeToken } from '#gate'
import { ServiceGuards } from './service-guards.ts'

const ends: (() => void)[] = []
afterEach(() => ends.splice(0).forEach((end) => end()))

function guardsWith(mode: 'off' | 'allow' | 'enforce', tokens: { readonly token?: string; readonly next?: string }) {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-guards-'))
  const [tokenFile, nextTokenFile] = [join(folder, 'token'), join(folder, 'next')]
  writeFileSync(tokenFile, tokens.token ?? '')
  writeFileSync(nextTokenFile, tokens.next ?? '')
  const lines: Record<string, unknown>[] = []
  const log = pino({ base: {} }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  let changes = 0
  const settings = [{ name: 'HubService', mode, tokenFile, nextTokenFile, scopes: ['admin:read'] }]
  const guards = new ServiceGuards(settings, {
    tenants: { tenant: () => undefined },
    log,
    saw: () => undefined,
    changed: () => void (changes += 1),
  })
  ends.push(() => {
    guards.close()
    rmSync(folder, { recursive: true })
  })
  const judged = (text: string) => judgeToken([new Secret(text)], guards.of(startRun)?.digests ?? [])
  return { guards, settings, tokenFile, folder, lines, judged, changes: () => changes }
}

const startRun = methodOf(HubService.method.startRun)

describe('the guards of services', () => {
  it('G9: guard every method of their service and no other', () => {
    const { guards, judged } = guardsWith('enforce', { token: 'one\n', next: 'two\r\n' })
    expect(guards.of(startRun)).toMatchObject({ service: 'HubService', mode: 'enforce' })
    expect(guards.of(startRun)?.scopes).toEqual(new Set(['admin:read', 'tasks:read', 'telemetry:read']))
    expect(guards.of(methodOf(IdentityService.method.createKey))).toBeUndefined()
    expect([judged('one'), judged('two'), judged('one\n')]).toEqual(['right', 'right', 'wrong'])
  })

  it('G9, S5: read files that change again, and say so', async () => {
    const { judged, tokenFile, changes, lines } = guardsWith('allow', { token: 'one' })
    writeFileSync(tokenFile, 'another')
    await expect.poll(() => judged('another'), { timeout: 10_000 }).toBe('right')
    expect([judged('one'), changes()]).toEqual(['wrong', 1])
    expect(JSON.stringify(lines)).not.toContain('another')
  })

  it('G9: a token is cleared by emptying its file, and never by a file that is lost', async () => {
    const { judged, tokenFile, lines, guards, settings } = guardsWith('enforce', { token: 'one' })
    rmSync(tokenFile)
    await expect
      .poll(() => lines.some(({ event }) => event === 'service_token.unreadable'), { timeout: 10_000 })
      .toBe(true)
    expect(judged('one')).toBe('right')
    writeFileSync(tokenFile, '')
    guards.configure(settings)
    expect(judged('one')).toBe('present')
    expect(lines.at(-1)).toMatchObject({ level: 40, event: 'service_token.guard', mode: 'allow', tokens: 0 })
  })
})
