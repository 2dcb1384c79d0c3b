import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { checkPolicies, serviceActions, showPolicyProblem, showPolicySchema } from './commands.ts'

const registered = { services: [{ name: 'mailer', actions: ['send', 'list'] }] }

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'portcullis-policies-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

describe('policies without a server', () => {
  it('G21: what a folder holds is counted where it is fine', async () => {
    await writeFile(join(dir, 'a.cedar'), 'permit(principal, action, resource);\n')
    await writeFile(join(dir, 'b.cedar'), 'forbid(principal, action, resource) when { false };\n')
    expect(await checkPolicies(dir)).toMatchObject({ ok: true, files: 2, policies: 2, problems: [] })
  })

  it('G21: what cannot be parsed is told with its file and line', async () => {
    await writeFile(join(dir, 'bad.cedar'), 'permit(principal, action, resource);\npermit(\n')
    const { ok, policies, problems } = await checkPolicies(dir)
    expect([ok, policies]).toEqual([false, 0])
    expect(problems[0]).toMatch(/^bad\.cedar:\d+: ./)
  })

  it('G21: a folder that is not there is a problem, not an empty set', async () => {
    const { ok, files, problems } = await checkPolicies(join(dir, 'nowhere'))
    expect([ok, files, problems.length]).toEqual([false, 0, 1])
  })

  it('G21: actions of registered services are in the schema, and a policy may name them', async () => {
    expect([...serviceActions(registered)]).toEqual(['mailer:send', 'mailer:list'])
    expect(showPolicySchema()).not.toContain('mailer:send')
    expect(showPolicySchema(registered)).toContain('mailer:send')
  })

  it('G21: a problem is shown with what is known of its place', () => {
    const message = 'is wrong'
    expect(showPolicyProblem({ file: 'a.cedar', line: 12, message })).toBe('a.cedar:12: is wrong')
    expect(showPolicyProblem({ file: 'a.cedar', line: 0, message })).toBe('a.cedar: is wrong')
    expect(showPolicyProblem({ file: '', line: 0, message })).toBe('is wrong')
  })
})
