import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadConfig, printConfig, type LoadResult } from './index.ts'

const dir = mkdtempSync(join(tmpdir(), 'portcullis-webhooks-'))
afterAll(() => rmSync(dir, { recursive: true }))

const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
writeFileSync(join(dir, 'secret'), `${secret}\n`, { mode: 0o600 })
writeFileSync(join(dir, 'plain'), 'correct horse battery staple\n', { mode: 0o600 })

const sound = {
  name: 'pager',
  url: 'https://pager.example/hooks?token=in-the-clear',
  secretFile: 'secret',
  events: ['kill.*'],
}

function load(...webhooks: readonly object[]): LoadResult {
  writeFileSync(join(dir, 'portcullis.yaml'), JSON.stringify({ webhooks }), { mode: 0o600 })
  return loadConfig({ file: join(dir, 'portcullis.yaml'), env: {}, mode: 'up' })
}

function problems(...webhooks: readonly object[]): readonly string[] {
  const result = load(...webhooks)
  return result.ok ? [] : result.problems.map(({ path, why, todo }) => `${path}: ${why} ${todo}`)
}

describe('the settings of webhooks', () => {
  it('O11: name files from the folder of the settings and have bounds where they say nothing', () => {
    const result = load(sound)
    expect(result).toMatchObject({
      ok: true,
      config: {
        webhooks: [
          {
            secretFile: join(dir, 'secret'),
            timeoutMs: 5000,
            retrySeconds: [5, 30, 120, 600, 3600, 21_600],
            allowPrivate: false,
          },
        ],
      },
    })
    expect(result.ok && JSON.stringify(printConfig(result.config))).not.toContain(secret)
  })

  it.each([
    [{ ...sound, events: ['kil.engaged'] }, /events\.0: There is no such event\. Did you mean kill\.engaged\?/],
    [{ ...sound, events: ['*.engaged'] }, /events\.0/],
    [{ ...sound, events: [] }, /events/],
    [{ ...sound, url: 'http://pager.example/' }, /url: .*https/],
    [{ ...sound, url: 'https://127.0.0.1/' }, /url: It leads to a loopback address/],
    [{ ...sound, url: 'https://169.254.169.254/', allowPrivate: true }, /url: .*refused always/],
    [{ ...sound, secretFile: 'plain' }, /secretFile: The file holds no signing secret/],
    [{ ...sound, secretFile: 'nowhere' }, /secretFile/],
    [{ ...sound, nextSecretFile: 'plain' }, /nextSecretFile: The file holds no signing secret/],
    [{ ...sound, secret }, /secret/],
    [{ ...sound, timeoutMs: 60_000 }, /timeoutMs/],
    [{ ...sound, name: 'Pager!' }, /name/],
  ])('O11: %j is refused', (webhook, why) => {
    const found = problems(webhook)
    expect(found.join('\n')).toMatch(why)
    expect(found.join('\n')).not.toMatch(/in-the-clear|correct horse/)
    expect(found.join('\n')).not.toContain(secret)
  })

  it('O11: two of one name are refused', () => {
    expect(problems(sound, sound).join('\n')).toMatch(/webhooks\.1\.name: Another webhook has this name/)
  })
})
