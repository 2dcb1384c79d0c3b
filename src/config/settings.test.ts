import { describe, expect, it } from 'vitest'
import { loadConfig } from './load.ts'
import { settings } from './settings.ts'

describe('settings', () => {
  it('O1: every setting has a meaning and a variable of its own', () => {
    expect(new Set(settings.map(({ env }) => env)).size).toBe(settings.length)
    for (const { path, description, env } of settings) {
      expect(description, path).toMatch(/\.$/)
      expect(env).toMatch(/^PORTCULLIS(?:__[A-Z]+(?:_[A-Z]+)*)+$/)
    }
    expect(settings.find(({ path }) => path === 'limits.grpc.recvBytes')?.env).toBe(
      'PORTCULLIS__LIMITS__GRPC__RECV_BYTES',
    )
  })

  it('S5: every secret setting also takes a file', () => {
    const secrets = settings.filter(({ secret }) => secret)
    expect(secrets).not.toHaveLength(0)
    for (const { path } of secrets) expect(settings.map((setting) => setting.path)).toContain(`${path}File`)
  })

  it('O1: every setting is reached by its variable', () => {
    for (const { path, env, type } of settings) {
      const result = loadConfig({ env: { [env]: '' }, mode: 'up' })
      const problems = result.ok ? [] : result.problems.map((each) => each.path)
      if (type !== 'list') expect(problems, path).toContain(path)
    }
  })
})
