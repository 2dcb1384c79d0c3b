import { afterEach, describe, expect, it, vi } from 'vitest'
import { makeLog } from './log.ts'

const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
afterEach(() => written.mockClear())

function logged(): string {
  return written.mock.calls.map(([text]) => String(text)).join('')
}

describe('the log as text', () => {
  const log = makeLog({ level: 'info', format: 'text' })

  it('O4: is one line with level, message and fields', () => {
    log.warn({ event: 'bounds.message_too_large', path: '/a', declaredBytes: 5 }, 'HTTP body over the bound')
    expect(logged()).toMatch(
      /^\d{4}-\d\d-\d\dT[\d:.]+Z warn {2}HTTP body over the bound event=bounds\.message_too_large path=\/a declaredBytes=5\n$/,
    )
  })

  it('O4: a value that somebody sent cannot look like another line or field', () => {
    log.warn({ path: '/a\n2026-01-01 error forged', name: 'x level=fatal', quoted: 'a"b', empty: '', wide: 'é' }, 'm')
    expect(logged().split('\n')).toHaveLength(2)
    expect(logged()).toContain(
      String.raw`path="/a\n2026-01-01 error forged" name="x level=fatal" quoted="a\"b" empty="" wide="é"`,
    )
  })

  it('J3: an audit line has the form that others read, and no fields after it', () => {
    const fields = { route: '/a', status: 403, subject: 'agt_1', clientId: 'key_1', scopes: 'a:b c:d' }
    const line = { logger: 'portcullis.authorization.audit', ...fields, bypass: true, remote: '::1', requestId: 'r' }
    log.info(line, 'portcullis authorization audit')
    expect(logged()).toMatch(
      /Z info {2}portcullis authorization audit route=\/a status=403 subject=agt_1 clientId=key_1 scopes=a:b c:d bypass=True remote=::1 requestId=r\n$/,
    )
  })

  it('S5: secrets by name are taken out', () => {
    log.warn(
      {
        key: 'pc_1',
        password: 'p1',
        authorization: 'Bearer b1',
        inner: { key: 'pc_2', password: 'p2', authorization: 'b2' },
      },
      'm',
    )
    expect(logged()).not.toMatch(/pc_|p1|p2|b1|b2/)
  })

  it('O4: says nothing below its level', () => {
    log.debug('quiet')
    expect(logged()).toBe('')
  })
})
