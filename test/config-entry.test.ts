import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { embeddedHome } from '../src/server/embedded/index.ts'
import { serve } from '../src/server/serve.ts'
import { databaseOf, freePorts, startInstance, type TestInstance } from './harness/instance.ts'
import { entriesOf } from './harness/replica.ts'

describe('settings that a running server takes over', () => {
  let instance: TestInstance
  beforeAll(async () => {
    instance = await startInstance()
  })
  afterAll(() => instance.stop())

  it('L2: leave an entry in the log `system` with the names of what changed', async () => {
    const { user, password, host, port, database } = await databaseOf(instance.dir, 'portcullis_app')
    const file = join(instance.dir, 'portcullis.yaml')
    const settings = {
      database: { url: `postgres://${user}:${password}@${host}:${port}/${database}` },
      secrets: { keyFile: join(embeddedHome(instance.dir).home, 'master-key') },
    }
    const write = (log: string): Promise<void> =>
      writeFile(file, JSON.stringify({ ...settings, log: { level: log } }), { mode: 0o600 })
    await write('fatal')
    const server = await serve({ configFile: file, env: { ...freePorts } })
    try {
      await write('error')
      process.emit('SIGHUP', 'SIGHUP')
      await expect
        .poll(async () => (await entriesOf(instance, 'system')).find((entry) => entry.includes('config.changed')), {
          timeout: 30_000,
        })
        .toBeDefined()
      const entry = (await entriesOf(instance, 'system')).find((one) => one.includes('config.changed')) ?? ''
      expect(JSON.parse(entry).body).toMatchObject({
        kind: 'config.changed',
        outcome: 'allow',
        args: { parts: ['log'] },
      })
      expect(entry).not.toContain(password)
    } finally {
      await server.stop()
    }
  })
})
