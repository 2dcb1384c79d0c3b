import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { methods } from '@portcullis/contract'
import { publicId, systemClock, uuidv7, type Caller } from '#core'
import { BundleWriter, folderOf, genesisPrev, verifyExport } from '#ledger'
import { Reader, RetentionStore, Writer, writerDefaults } from '#store'
import { recordOf } from '../../src/server/record.ts'
import { TestDatabase, type TestTenant } from '../../test/harness/postgres.ts'
import { median, type Bar } from '../bar.ts'
import { callers, type CallersResult } from './callers.ts'
import { NaiveChain } from './naive.ts'

const path = '/portcullis.v1.HubService/RecordPromptAttempt'

/** P3: durable, redacted, chained entries in a Merkle log against a naive locked chain, alternating on one PostgreSQL. */
export const p3: Bar = {
  id: 'P3',
  claim: 'ledger appends against a naive locked chain, 256 callers',
  run: async ({ rounds, seconds, say }) => {
    const database = await TestDatabase.start()
    const tenant = await database.makeTenant('bench')
    const writer = new Writer({ connection: database.settings(), ...writerDefaults }, systemClock)
    const naive = await NaiveChain.make({ connectionString: database.url('portcullis_owner', 'portcullis') })
    try {
      const ours = appendOurs(writer, tenant)
      const twin = (): Promise<void> => naive.append(recordFor(tenant).body)
      await callers(256, 2, ours)
      await callers(256, 1, twin)
      const many: { readonly ours: CallersResult; readonly twin: CallersResult }[] = []
      for (let round = 0; round < rounds; round += 1) {
        many.push({ ours: await callers(256, seconds, ours), twin: await callers(256, seconds, twin) })
        const last = many.at(-1)
        say(
          `round ${round + 1}: ours ${last?.ours.perSecond.toFixed(0)}, twin ${last?.twin.perSecond.toFixed(0)} entries/s`,
        )
      }
      const some = { ours: await callers(32, seconds, ours), twin: await callers(32, seconds, twin) }
      const alone = { ours: await callers(1, seconds, ours), twin: await callers(1, seconds, twin) }
      say('verifying')
      const verified = await verifyRates(database, tenant)
      return {
        ours: median(many.map((round) => round.ours.perSecond)),
        twin: median(many.map((round) => round.twin.perSecond)),
        ratio: median(many.map((round) => round.ours.perSecond / round.twin.perSecond)),
        unit: 'entries/s',
        more: {
          oursP99Ms: median(many.map((round) => round.ours.p99Ms)),
          twinP99Ms: median(many.map((round) => round.twin.p99Ms)),
          ours32: some.ours.perSecond,
          twin32: some.twin.perSecond,
          ratio32: some.ours.perSecond / some.twin.perSecond,
          ours1: alone.ours.perSecond,
          twin1: alone.twin.perSecond,
          loneOursP50Ms: alone.ours.p50Ms,
          loneTwinP50Ms: alone.twin.p50Ms,
          ...verified,
        },
      }
    } finally {
      await naive.close()
      await writer.close()
      await database.stop()
    }
  },
}

function appendOurs(writer: Writer, tenant: TestTenant): () => Promise<void> {
  return async () => {
    const result = await writer.submit({ tenantId: tenant.id, record: () => recordFor(tenant) })
    if (result.refused) throw new Error(`an append was refused: ${result.code}`)
  }
}

let count = 0

/** What the server records of a call that was allowed, redaction included. */
function recordFor(tenant: TestTenant) {
  const method = methods.get(path)
  if (method === undefined) throw new Error(`the contract has no ${path}`)
  count += 1
  const caller: Caller = {
    kind: 'agent',
    id: publicId('agt', tenant.operatorId),
    tenant: { id: publicId('ten', tenant.id), name: tenant.name },
    scopes,
    credential: { kind: 'api_key', id: publicId('key', tenant.keyId) },
  }
  const call = { method, credentials: [], remote: '127.0.0.1', requestId: `req_${uuidv7()}`, tenantId: undefined }
  const args = () => ({
    attemptNumber: count,
    costNanoUsd: '0',
    latencyMs: '840',
    model: 'model-a',
    outcome: 'SUCCESS',
    promptHash: 'b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9',
    promptVersion: 'v3',
    provider: 'example',
    runId: 'run_01934c5e-0000-7000-8000-000000000000',
  })
  const arrivedAt = systemClock.monotonic()
  return recordOf({ call, caller, args, arrivedAt, clock: systemClock }, { outcome: 'allow' })
}

const scopes: ReadonlySet<string> = new Set(['telemetry:write'])

/** Entries a second, offline from a bundle and online from PostgreSQL, over what the bench has appended. */
async function verifyRates(database: TestDatabase, tenant: TestTenant): Promise<Readonly<Record<string, number>>> {
  const folder = await mkdtemp(join(tmpdir(), 'portcullis-p3-'))
  const settings = { ...database.settings(), statementTimeoutMs: 60_000 }
  const reader = new Reader(settings, 1)
  const maintenance = { connectionString: database.url('portcullis_maintenance', 'portcullis') }
  const store = new RetentionStore({ ...settings, client: maintenance })
  try {
    const scope = { tenantId: tenant.id, platform: false }
    const { size } = (await reader.head(scope, tenant.name)) ?? { size: 0 }
    const bundle = new BundleWriter(join(folder, folderOf(tenant.name)), {
      log: tenant.name,
      from: 0,
      prev: genesisPrev,
    })
    for await (const entry of store.entries(tenant.name, 0, size)) bundle.add(entry)
    bundle.finish()
    const offline = await perSecond(size, async () => {
      const verdict = await verifyExport(join(folder, folderOf(tenant.name)))
      return verdict.chain_valid && verdict.entries === size
    })
    const online = await perSecond(size, async () => {
      const verdict = await reader.verify(scope, tenant.name)
      return verdict !== undefined && verdict !== 'too_long' && verdict.chainValid && verdict.to === size - 1
    })
    return { verifiedEntries: size, verifyOfflinePerSecond: offline, verifyOnlinePerSecond: online }
  } finally {
    await store.close()
    await reader.close()
    await rm(folder, { recursive: true, force: true })
  }
}

async function perSecond(entries: number, verify: () => Promise<boolean>): Promise<number> {
  const startedAt = performance.now()
  if (!(await verify())) throw new Error('what the bench appended does not verify: the figures mean nothing')
  return entries / ((performance.now() - startedAt) / 1000)
}
