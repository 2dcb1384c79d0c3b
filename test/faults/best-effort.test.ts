import { Client } from 'pg'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { call, databaseOf, removeInstance } from '../harness/instance.ts'
import { newFolder, noLimits, Portcullis } from '../harness/portcullis.ts'
import { verifyLog } from '../harness/postgres.ts'

const workers = 48
const rounds = 2

let dir: string
let server: Portcullis
beforeAll(async () => {
  dir = await newFolder()
})
afterAll(async () => {
  await server.end('SIGKILL')
  await new Portcullis(['down', '--dir', dir]).exited
  await removeInstance(dir)
})

/** Services that ask without a pause; the ids of the requests that were answered. */
class Asking {
  readonly answered = new Set<string>()
  readonly #workers: Promise<unknown>
  #over = false
  #next = 0

  constructor(url: string, key: string, round: number) {
    const work = async (): Promise<void> => {
      while (!this.#over) {
        this.#next += 1
        const id = `asked-${round}-${this.#next}-of-a-test`
        const asked = { credential: 'nobody', action: 'tickets:read' }
        const headers = { 'x-request-id': id }
        const answer = await call(url, 'AuthorizationService/Check', asked, { key, headers }).catch(() => undefined)
        if (answer === undefined) return
        expect(answer.status).toBe(200)
        this.answered.add(id)
      }
    }
    this.#workers = Promise.all(Array.from({ length: workers }, work))
  }

  async stop(): Promise<void> {
    this.#over = true
    await this.#workers
  }
}

async function withAdmin<Result>(work: (admin: Client) => Promise<Result>): Promise<Result> {
  const admin = new Client(await databaseOf(dir, 'postgres'))
  await admin.connect()
  return work(admin).finally(() => admin.end())
}

const askedOf = (admin: Client, round: number): Promise<readonly string[]> =>
  admin
    .query<{ id: string }>(`select request_id as id from audits.entries where request_id like $1`, [`asked-${round}-%`])
    .then(({ rows }) => rows.map(({ id }) => id))

const gaps = (
  admin: Client,
): Promise<readonly { readonly atMost: number; readonly seen: string; readonly noticed: string }[]> =>
  admin
    .query<{ body: string }>(
      `select convert_from(entry, 'UTF8') as body from audits.entries where log = 'system' and action = 'ledger.gap' order by seq`,
    )
    .then(({ rows }) => rows.map(({ body }) => JSON.parse(body).body.args))

it(
  `L7: ${rounds} times killed while it answers checks, what is lost of their entries is told by one gap entry each, and none is there twice`,
  { timeout: 300_000 },
  async () => {
    server = Portcullis.up(dir, noLimits)
    let ready = await server.ready()
    const adminKey = ready.adminKey ?? ''
    const agent = await call(
      `http://${ready.http}`,
      'IdentityService/CreateAgent',
      { name: 'helpdesk' },
      { key: adminKey },
    )
    const made = await call(
      `http://${ready.http}`,
      'IdentityService/CreateKey',
      { agentId: agent.body.agent.id, scopes: ['authz:check'] },
      { key: adminKey },
    )
    for (let round = 1; round <= rounds; round += 1) {
      const asking = new Asking(`http://${ready.http}`, made.body.key, round)
      await vi.waitFor(() => expect(asking.answered.size).toBeGreaterThan(1000), { timeout: 60_000, interval: 5 })
      await server.end('SIGKILL')
      const killedAt = Date.now()
      await asking.stop()
      server = Portcullis.up(dir, noLimits)
      ready = await server.ready()
      await withAdmin(async (admin) => {
        // What was on its way to PostgreSQL when the process ended commits or ends within moments.
        await vi.waitFor(async () => expect(await gaps(admin)).toHaveLength(round), { timeout: 60_000, interval: 250 })
        const gap = (await gaps(admin)).at(-1)
        const written = await askedOf(admin, round)
        expect(new Set(written).size).toBe(written.length)
        const lost = [...asking.answered].filter((id) => !written.includes(id))
        expect(lost.length).toBeLessThanOrEqual(gap?.atMost ?? 0)
        expect(Date.parse(gap?.seen ?? '')).toBeLessThanOrEqual(killedAt + 1000)
        expect(Date.parse(gap?.noticed ?? '')).toBeGreaterThan(killedAt - 1000)
      })
    }
    // A stop loses nothing, and a start after it has nothing to tell.
    const last = new Asking(`http://${ready.http}`, made.body.key, rounds + 1)
    await vi.waitFor(() => expect(last.answered.size).toBeGreaterThan(500), { timeout: 60_000, interval: 5 })
    await last.stop()
    expect((await server.end()).code).toBe(0)
    server = Portcullis.up(dir, noLimits)
    await server.ready()
    await withAdmin(async (admin) => {
      expect(new Set(await askedOf(admin, rounds + 1))).toEqual(last.answered)
      expect(await gaps(admin)).toHaveLength(rounds)
      expect((await admin.query('select from portcullis.entries_in_hand')).rows).toHaveLength(0)
      for (const log of ['main', 'system']) expect(await verifyLog(admin, log)).toMatchObject({ chain_valid: true })
    })
  },
)
