import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { makeAuthority } from '../../test/harness/certificates.ts'
import { loadConfig, printConfig, type LoadResult } from './index.ts'

const dir = mkdtempSync(join(tmpdir(), 'portcullis-sinks-'))
afterAll(() => rmSync(dir, { recursive: true }))

function file(name: string, text: string): string {
  writeFileSync(join(dir, name), text, { mode: 0o600 })
  return name
}

/** Unsigned checkpoints need a key where there are sinks; that is not what is tested here. */
function load(sinks: string, env: Record<string, string> = {}): LoadResult {
  const name = file('portcullis.yaml', `audit: { checkpoints: { acknowledgements: 0 }, sinks: ${sinks} }\n`)
  return loadConfig({ file: join(dir, name), env, mode: 'up' })
}

function problems(sinks: string): readonly string[] {
  const result = load(sinks)
  return result.ok ? [] : result.problems.map(({ path, why }) => `${path}: ${why}`)
}

describe('the settings of sinks', () => {
  it('L9: name files from the folder of the settings, and are the kind where they have no name', () => {
    file('token', 'the clear text\n')
    const result = load(
      `[{ kind: file, dir: archive }, { kind: nats, name: bus, servers: ['nats://127.0.0.1:4222'], stream: L, tokenFile: token }]`,
    )
    expect(result).toMatchObject({
      ok: true,
      config: {
        audit: {
          sinks: [
            { kind: 'file', name: 'file', dir: join(dir, 'archive') },
            {
              kind: 'nats',
              name: 'bus',
              subject: 'portcullis.ledger',
              createStream: false,
              tokenFile: join(dir, 'token'),
            },
          ],
        },
      },
    })
    expect(result.ok && printConfig(result.config)).not.toContain('clear text')
  })

  it('L9: a variable can name the folder of a file sink', () => {
    const env = {
      PORTCULLIS__AUDIT__SINKS: 'file:/var/lib/ledger',
      PORTCULLIS__AUDIT__CHECKPOINTS__ACKNOWLEDGEMENTS: '0',
    }
    expect(loadConfig({ env, mode: 'up' })).toMatchObject({
      ok: true,
      config: { audit: { sinks: [{ kind: 'file', name: 'file', dir: '/var/lib/ledger' }] } },
    })
  })

  it('L9: everything that keeps a sink from being made is told at once', () => {
    for (const name of ['one', 'two']) {
      const { cert, key } = makeAuthority(name)
      file(`${name}.pem`, cert)
      file(`${name}.key`, key)
    }
    file('empty', '')
    file('token', 'the clear text\n')
    const found = problems(`[
      { kind: file, dir: archive }, { kind: file, dir: archive },
      { kind: syslog, host: logs, caFile: absent.pem, certFile: one.pem, keyFile: two.key },
      { kind: syslog, name: again, host: logs, caFile: one.key, keyFile: one.key },
      { kind: nats, servers: ['nats://192.0.2.7:4222'], stream: L, tokenFile: empty },
      { kind: nats, name: seeds, servers: ['tls://h'], stream: L, credsFile: token },
    ]`)
    expect(found).toEqual([
      'audit.sinks.1.name: audit.sinks.0 has this name: it is the name of the cursor and of the metrics.',
      'audit.sinks.1.dir: It is the folder of audit.sinks.0.',
      'audit.sinks.2.caFile: There is no such file.',
      'audit.sinks.2.keyFile: It is not the key of the certificate in certFile.',
      'audit.sinks.3.caFile: The file holds no certificate.',
      'audit.sinks.3.certFile: A client certificate is two files, and there is only keyFile.',
      'audit.sinks.4.tokenFile: The file is empty.',
      'audit.sinks.4.servers.0: The ledger, and the credentials of this sink, would cross the network in the clear.',
      'audit.sinks.5.credsFile: The file holds no credentials of NATS: a user JWT, and the seed of its key.',
    ])
  })

  it.each([
    ['[{ kind: kafka }]', 'audit.sinks.0.kind: This is none of the kinds.'],
    ['[{ kind: file }]', 'audit.sinks.0.dir: It is required here.'],
    ['[{ kind: file, dir: a, dri: b }]', 'audit.sinks.0: It has no dri.'],
    [
      '[{ kind: file, dir: a, name: "A b" }]',
      'audit.sinks.0.name: A name is 1 to 32 of a-z, 0-9 and -, and begins with a letter.',
    ],
    ['[{ kind: syslog, host: "a b" }]', 'audit.sinks.0.host: This is not the name or address of a host.'],
    [
      "[{ kind: nats, servers: ['http://x'], stream: L }]",
      'audit.sinks.0.servers.0: This is not a URL such as tls://nats.example.com:4222.',
    ],
    [
      "[{ kind: nats, servers: ['nats://u:p@[::1]'], stream: L }]",
      'audit.sinks.0.servers.0: This is not a URL such as tls://nats.example.com:4222.',
    ],
    [
      "[{ kind: nats, servers: ['tls://h'], stream: 'a.b' }]",
      'audit.sinks.0.stream: A stream is named with letters, digits, - and _.',
    ],
    [
      "[{ kind: nats, servers: ['tls://h'], stream: L, subject: 'a.>' }]",
      'audit.sinks.0.subject: A subject is words of letters, digits, - and _, joined by dots.',
    ],
  ])('L9: %s is refused with its place and reason', (sinks, problem) => {
    expect(problems(sinks)).toContain(problem)
  })
})
