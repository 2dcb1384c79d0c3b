import { describe, expect, it } from 'vitest'
import { inspectDatabaseUrl } from './database-url.ts'

describe('inspectDatabaseUrl', () => {
  it.each([
    ['postgres://app:pw@127.0.0.1:5432/x', true],
    ['postgresql://app@localhost/x', true],
    ['postgres://app@[::1]:5432/x', true],
    ['postgres://app@%2Fvar%2Frun%2Fpostgresql/x', true],
    ['postgres://app:p%40ss%2F%23@db.internal/x?application_name=p', false],
    ['postgres://app@127.1/x', false],
    ['postgres://app@%6cocalhost/x', false],
  ])('O2: %s is accepted; on this machine: %s', (url, local) => {
    expect(inspectDatabaseUrl(url)).toEqual({ ok: true, local })
  })

  it.each([
    ['another scheme', 'mysql://app@127.0.0.1/x', /postgres:/],
    ['no host, which the client would take from PGHOST', 'postgres:///x', /no host/],
    ['a host in a parameter', 'postgres://app@127.0.0.1/x?host=evil.example', /parameters/],
    ['TLS in a parameter', 'postgres://app@db.internal/x?sslmode=disable', /parameters/],
    ['a # in the password', 'postgres://app:1#2@db.internal/x', /special character/],
    ['a / in the password', 'postgres://app:1/2@db.internal/x', /special character/],
    ['a ? in the password', 'postgres://app:1?2@db.internal/x', /special character/],
    ['a % in the password', 'postgres://app:1%2x@db.internal/x', /%/],
    ['an escape that is no UTF-8', 'postgres://app:%ff@db.internal/x', /%/],
    ['a space', 'postgres://app:a b@db.internal/x', /space/],
    ['a port that is none', 'postgres://app@127.0.0.1:x/x', /not a URL/],
  ])('O2: %s is refused', (_, url, why) => {
    expect(inspectDatabaseUrl(url)).toMatchObject({ ok: false, why: expect.stringMatching(why) })
  })
})
