import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { postgresProcesses } from '../harness/postgres-processes.ts'
import { startInstance, type TestInstance } from '../harness/instance.ts'

let instance: TestInstance
beforeAll(async () => {
  instance = await startInstance()
})
afterAll(() => instance.stop())

it('G20: while PostgreSQL stands still every call is refused in time, and all is well once it goes on', async () => {
  const frozen = await postgresProcesses(instance.dir)
  expect(frozen.length).toBeGreaterThan(3)
  for (const pid of frozen) process.kill(pid, 'SIGSTOP')
  const codes: string[] = []
  const later: string[] = []
  try {
    const start = (): Promise<string> =>
      instance
        .call('HubService/StartRun', { workflow: 'frozen' })
        .then(({ status, body }) => (status === 200 ? 'done' : body.code))
    codes.push(...(await Promise.all(Array.from({ length: 20 }, start))))
    // By now the credentials in memory are too old to decide on.
    later.push(...(await Promise.all([start(), start()])))
    const ready = await fetch(`http://${instance.running.ready.management}/readyz`)
    expect(ready.status).toBe(503)
  } finally {
    for (const pid of frozen) process.kill(pid, 'SIGCONT')
  }
  for (const code of codes)
    expect(['store.unavailable', 'store.busy', 'bounds.deadline', 'outcome.unknown', 'audit.unavailable']).toContain(
      code,
    )
  expect(later).toEqual(['store.unavailable', 'store.unavailable'])
  await vi.waitFor(
    async () => expect((await instance.call('HubService/StartRun', { workflow: 'again' })).status).toBe(200),
    { timeout: 30_000, interval: 50 },
  )
  const { rows } = await (
    await instance.connect('postgres')
  ).query(`select count(*)::int as done from portcullis.runs where workflow = 'frozen'`)
  // A call that was told "deadline" or "unknown" may have been done; one that was told "unavailable" was not.
  expect(rows[0].done).toBeLessThanOrEqual(
    codes.filter((code) => code === 'bounds.deadline' || code === 'outcome.unknown').length,
  )
})
