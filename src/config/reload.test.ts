import { describe, expect, it } from 'vitest'
import { loadConfig } from './load.ts'
import { reloadable } from './reload.ts'
import type { Config } from './schema.ts'

const before = load('')

describe('reloadable', () => {
  it('O1: nothing changes where the settings are the same', () => {
    expect(reloadable(before, load(''))).toEqual({ apply: {}, needRestart: [] })
  })

  it('O1: rates, log level and proxies change at once', () => {
    const after = load('limits: { rate: { key: { burst: 9 } } }\nlog: { level: warn }\ntrustedProxies: [10.0.0.0/8]\n')
    expect(reloadable(before, after)).toEqual({
      apply: { limits: after.limits, log: after.log, trustedProxies: ['10.0.0.0/8'] },
      needRestart: [],
    })
  })

  it('O1: other changes wait for a restart and stay out of what is applied', () => {
    const after = load(
      'limits: { rate: { key: { burst: 9 } }, grpc: { streams: 9 } }\nlisten: { grpc: "127.0.0.1:1" }\n',
    )
    const { apply, needRestart } = reloadable(before, after)
    expect(needRestart).toEqual(['listen.grpc', 'limits.grpc.streams'])
    expect(apply).toEqual({ limits: { ...before.limits, rate: after.limits.rate } })
  })

  it('O1: a changed secret is noticed, the same secret is not', () => {
    const [one, two] = [load('', 'postgres://a:1@localhost/x'), load('', 'postgres://a:2@localhost/x')]
    expect(reloadable(one, load('', 'postgres://a:1@localhost/x')).needRestart).toEqual([])
    expect(reloadable(one, two)).toEqual({ apply: {}, needRestart: ['database.url'] })
  })
})

function load(text: string, url = 'postgres://a@localhost/x'): Config {
  const result = loadConfig({ env: { DATABASE_URL: url }, mode: 'serve', ...(text && { text }) })
  if (!result.ok) expect.fail(JSON.stringify(result.problems))
  return result.config
}
