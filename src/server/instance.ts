import type { Logger } from 'pino'
import type { Config } from '#config'
import { systemClock } from '#core'
import type { GatePorts } from '#gate'
import { unhandledMethods } from '#hub'
import {
  CertificateCache,
  KeyCache,
  PseudonymKeyStore,
  keyCacheDefaults,
  Reader,
  Sessions,
  TraceRuns,
  Writer,
  writerDefaults,
  type ConnectionSettings,
} from '#store'
import { composeApps } from './compose-apps.ts'
import { composeBestEffort } from './compose-best-effort.ts'
import { composeCallers } from './compose-callers.ts'
import { composeCheckpoints } from './checkpoints/compose.ts'
import type { Checkpointer } from './checkpoints/checkpointer.ts'
import { Offbox } from './checkpoints/offbox.ts'
import { ClockWatch } from './clock-watch.ts'
import { composeJobs } from './compose-jobs.ts'
import { composeOAuth } from './compose-oauth.ts'
import { composeOperators, composePeople, withOurApp } from './compose-people.ts'
import { composePolicy, startPolicy, withPolicy } from './compose-policy.ts'
import { composeRates, workersOf } from './compose-rates.ts'
import { BudgetExpiry } from './budget-expiry.ts'
import { BudgetGauges } from './budget-gauges.ts'
import { budgetSettings, composeSpending } from './compose-budgets.ts'
import { composeRules } from './compose-rules.ts'
import { makeDecider } from './decider.ts'
import { debugToken, listenDebug } from './debug.ts'
import { Floods } from './floods.ts'
import { listenGrpc } from './grpc/server.ts'
import { listenHttp } from './http/server.ts'
import { Housekeeping } from './housekeeping.ts'
import { configRecord } from './config-record.ts'
import { composeLegacy } from './legacy-token.ts'
import { composeSigning } from './compose-signing.ts'
import { composeKills } from './kill/compose.ts'
import { withKills } from './kill/decider.ts'
import { listenManagement } from './management.ts'
import { listenAgents, type AgentsAddresses } from './mtls/compose.ts'
import { checkDatabase, listening } from './listening.ts'
import { Pipeline } from './pipeline.ts'
import { costSettings, loadPrices } from './prices.ts'
import { serviceActions } from './policy/commands.ts'
import { Pseudonyms } from './pseudonyms.ts'
import { asStartError, openSecrets, type SecretStore } from './secrets.ts'
import { Sinks } from './sinks/sinks.ts'
import { Space } from './space.ts'
import { Streams } from './streams.ts'
import { composeTokens } from './tokens/compose.ts'
import { TokenFeed } from './token-feed.ts'
import { telemetryRetentionJob } from './telemetry-retention.ts'
import { makeTelemetry } from './telemetry/index.ts'
import { TrustedProxies } from './trusted-proxies.ts'
import { Webhooks } from './webhooks/webhooks.ts'

export interface Instance extends AgentsAddresses {
  readonly grpc: string
  readonly http: string
  readonly management: string
  /** Takes over settings that may change while it runs. */
  apply(change: Partial<Config>): void
  /** Answers what is in flight, then stops everything that was started. */
  stop(): Promise<void>
}

const drainMs = 10_000

/** Composes one serving process over a migrated database. Everything that was started is stopped again where a part fails. */
export async function startInstance(config: Config, connection: ConnectionSettings, log: Logger): Promise<Instance> {
  const clock = systemClock
  const basics = { config, connection, clock, log }
  const telemetry = makeTelemetry(config, log)
  const { metrics } = telemetry
  const clocks = new ClockWatch(log)
  const space = new Space({ dir: connection.dataDir, freeBytesMin: config.limits.freeBytesMin }, log)
  const clockSeen = (skewMs: number, withinMs: number): void => clocks.measured(skewMs, withinMs)
  const known = withOurApp(composeApps(clock), () => keys.tenant('main'))
  const operators = composeOperators()
  const signing = composeSigning({
    connection,
    clock,
    envelopes: () => secrets?.envelopes,
    fault: (error) => log.error({ event: 'signature.fault', err: error }, 'a signature could not be looked at'),
  })
  const certificates = new CertificateCache()
  const oauth = composeOAuth({
    ...basics,
    apps: known.apps,
    denials: known.denials,
    operators: operators.directory,
    envelopes: () => secrets?.envelopes,
    counted: metrics.oauth.bind(metrics),
    full: (last) => space.refusal({ access: 'write', shedLast: last }),
    // Asked for when a request comes, not now.
    late: () => ({
      writer,
      floods,
      bestEffort: ahead.bestEffort,
      buckets: rates.buckets,
      fresh: () => keys.fresh(),
      refresh: () => keys.refresh(),
    }),
  })
  const kills = composeKills({ ...basics, metrics, late: () => ({ keys, writer }) })
  const governing = composeRules()
  const tables = [
    operators.table,
    kills.kill.cache,
    ...governing.tables,
    certificates,
    ...known.tables,
    ...signing.tables,
    ...(oauth?.tables ?? []),
  ]
  const keys = new KeyCache({ connection, ...keyCacheDefaults, clockSeen, tables }, clock)
  const writer = new Writer(
    {
      connection,
      ...writerDefaults,
      queueMax: config.limits.queue.max,
      queueWaitMs: config.limits.queue.waitMs,
      watch: metrics,
      kills: kills.kill.cache,
      spending: composeSpending(log),
    },
    clock,
  )
  metrics.watch({ queued: () => writer.queued, freeBytes: () => space.freeBytes, skewMs: () => clocks.skewMs })
  const reader = new Reader(connection, Math.max(1, config.database.pool.clients - writerDefaults.lanes))
  const sessions = new Sessions(connection)
  const traces = new TraceRuns(connection)
  const floods = new Floods(
    writer,
    clock,
    ({ subject, count }, why) =>
      log.error({ event: 'ledger.counts_lost', subject, count, err: why }, 'counted refusals could not be written'),
    (remote) => callers.ports.bypass.match(remote, clock.now()) !== undefined,
  )
  const ahead = composeBestEffort(writer, connection, clock, log)
  const pseudonyms = new Pseudonyms({
    failed: (error) =>
      log.warn(
        { event: 'ledger.pseudonym_keys', err: error },
        'keys of pseudonyms cannot be had: personal values are masked',
      ),
    monotonic: () => clock.monotonic(),
  })
  const sinks = new Sinks({ ...basics, writer, watch: metrics })
  const webhooks = new Webhooks({ ...basics, watch: metrics })
  const budgetGauges = new BudgetGauges(connection, () => clock.monotonic())
  metrics.watchBudgets(() => budgetGauges.look())
  const housekeeping = new Housekeeping(connection, log)
  const rates = composeRates(config, workersOf(process.env), log)
  const services = serviceActions(config)
  const policy = composePolicy({ config, services, writer, clock, log })
  metrics.watchPolicy(policy)
  const recordChange = (parts: readonly string[]): void => {
    const record = configRecord(parts, clock.now())
    writer
      .submit({ tenantId: undefined, record: () => record })
      .catch((error: unknown) =>
        log.error(
          { event: 'config.unrecorded', err: error },
          'settings were taken over, and the ledger does not say so',
        ),
      )
  }
  const count = metrics.serviceToken.bind(metrics)
  const callers = composeCallers({ config, tenants: keys, clock, log, count, changed: recordChange })
  const tokens = composeTokens({
    config,
    clock,
    log,
    apps: known.apps,
    denials: known.denials,
    operators: operators.directory,
    tenants: keys,
    services,
    singleUse: signing.singleUse,
    buckets: rates.buckets,
    own: oauth?.authority.ownKeys,
  })
  metrics.watchIssuer(tokens)
  const gate: GatePorts = {
    clock,
    keys,
    ...rates.buckets,
    legacy: composeLegacy(config, keys, log),
    policy,
    kill: kills.kill,
    certificates,
    tokens: tokens.tokens,
    ...callers.ports,
  }
  const sharedRates = await rates.share(gate)
  metrics.watchRates(sharedRates)
  const proxies = new TrustedProxies(config.trustedProxies)
  const apply = (change: Partial<Config>): void => {
    if (change.trustedProxies !== undefined) proxies.set(change.trustedProxies)
    if (change.log !== undefined) log.level = change.log.level
    if (change.limits !== undefined) rates.configure(change.limits.rate)
    callers.configure(change)
    tokens.configure(change)
    recordChange(Object.keys(change))
  }
  let checkpoints: Checkpointer | undefined
  const offbox = new Offbox({
    writer,
    cover: async (name, atLeast, signal) =>
      checkpoints?.cover(name, atLeast, signal) ?? { ok: false, why: 'no key signs checkpoints here' },
    sinks: sinks.all.length,
    acknowledgements: config.audit.checkpoints.acknowledgements,
    later: (record) => ahead.bestEffort.offer(record),
  })
  const prices = await loadPrices(config)
  const bound = { http: '', grpc: '' }
  const telemetryRetention = telemetryRetentionJob(connection, config.telemetry.retention)
  const tools = { reader, checkpoints: () => checkpoints, sinkLags: () => sinks.lags(), telemetryRetention, bound }
  const jobs = composeJobs({ ...basics, metrics, writer, tenants: keys, kill: kills.kill, tools })
  const origin = (): string => config.oauth.issuer ?? `http://${bound.http}`
  const pipeline = new Pipeline({
    gate,
    prepare: tokens.prepare,
    offbox,
    credentials: keys,
    writer,
    reader,
    floods,
    bestEffort: ahead.bestEffort,
    pseudonyms,
    traces,
    sharedRates,
    rules: governing.rules,
    budgets: budgetSettings(config),
    signatures: signing.signatures,
    sealing: signing.sealing,
    decider: withKills(
      withPolicy(makeDecider({ clock, keys, legacy: gate.legacy, tokens: tokens.answers }), policy, clock),
      kills.kill,
      prices,
    ),
    kills: kills.kill,
    services,
    prices,
    jobs: jobs.port,
    costs: costSettings(config),
    origin,
    signInTenants: config.authority.signInTenants,
    clock,
    told: (decided) => {
      telemetry.told(decided)
      jobs.decided(decided)
      kills.auto?.told(decided)
    },
    spent: (...of) => kills.auto?.replied(...of),
    denied: (caller, codes) => {
      for (const code of codes) kills.auto?.told({ caller, outcome: 'deny', code })
    },
    timed: telemetry.timed,
    gated: (elapsedMs) => metrics.gated(elapsedMs),
    full: (method) => space.refusal(method),
    fault: (error, call) =>
      log.error(
        { event: 'server.fault', err: error, method: call?.method.path, requestId: call?.requestId },
        'fault in a call',
      ),
  })
  const expiry = new BudgetExpiry(connection, writer, log)
  let draining = false
  const stops: (() => Promise<void>)[] = []
  let secrets: SecretStore | undefined
  const stop = async (): Promise<void> => {
    draining = true
    await Promise.all(stops.map((one) => one()))
    await housekeeping.close()
    await expiry.close()
    await checkpoints?.close()
    await sinks.close()
    await webhooks.close()
    await budgetGauges.close()
    sharedRates?.close()
    space.close()
    policy?.close()
    callers.close()
    await ahead.close()
    await floods.close()
    await kills.close()
    await writer.close()
    await pseudonyms.close()
    await signing.close()
    await oauth?.close()
    await tokens.close()
    await secrets?.close()
    await Promise.all([keys.close(), reader.close(), traces.close(), sessions.close(), telemetry.close()])
  }
  const notReady = async (): Promise<string | undefined> => {
    if (draining) return 'the server is shutting down'
    if (!keys.fresh()) return 'the credentials in memory are older than their lease'
    return clocks.notReady() ?? ((await reader.ping()) ? undefined : 'the store cannot be reached')
  }
  try {
    // First of all, so that health and metrics answer while the rest starts.
    const scrape = config.telemetry.prometheus ? () => metrics.prometheus() : undefined
    const management = await listening(
      'management',
      listenManagement({ config, log, proxies, notReady, metrics: scrape }),
    )
    stops.push(() => management.stop(drainMs))
    if (config.debug.port !== undefined) {
      const parts = { config, log, proxies, port: config.debug.port, token: debugToken(config) }
      const debug = await listening('debug', listenDebug(parts))
      log.info({ event: 'debug.listening', address: debug.address }, 'profiles under /debug/pprof/')
      stops.push(() => debug.stop(drainMs))
    }
    // A method of the contract that nothing answers would be refused only when it is called.
    const missing = unhandledMethods()
    if (missing.length > 0) throw new Error(`no handler for ${missing.join(', ')}`)
    await checkDatabase(connection)
    secrets = await openSecrets(config, connection, clock, log)
    if (secrets !== undefined)
      await pseudonyms
        .start(new PseudonymKeyStore(connection, secrets.envelopes, () => pseudonyms.wake()))
        .catch((error: unknown) => {
          throw asStartError(error)
        })
    ahead.start()
    checkpoints = composeCheckpoints({ config, connection, sinks: sinks.all, writer, log })
    if (checkpoints !== undefined) metrics.watchCheckpoints(jobs.withBroken(checkpoints))
    await jobs.load()
    await space.look()
    await keys.start()
    await kills.start()
    const ages = known.watchAges(log)
    stops.push(async () => ages())
    await oauth?.start()
    await offbox.noteOverride(log)
    housekeeping.start()
    expiry.start()
    await startPolicy(policy)
    const people = await composePeople({
      config,
      writer,
      clock,
      floods,
      gate,
      sessions,
      interactions: oauth?.authority.interactions,
      operators: operators.directory,
      origin,
      log,
    })
    stops.push(() => people.close())
    const streams = new Streams(gate)
    stops.push(() => streams.close())
    const behindGrpc = { config, pipeline, streams, log, healthy: () => !draining && keys.fresh() }
    const grpc = await listening('grpc', listenGrpc({ ...behindGrpc, onFault: metrics.faultsOf('grpc') }))
    stops.push(() => grpc.stop(drainMs))
    sinks.start()
    webhooks.start()
    checkpoints?.start()
    const feed = new TokenFeed({ gate, reader, log })
    stops.push(() => feed.close())
    const behindHttp = { config, pipeline, log, proxies, people: people.pages, feed, streams, oauth: oauth?.door }
    const http = await listening('http', listenHttp({ ...behindHttp, onFault: metrics.faultsOf('http') }))
    Object.assign(bound, { http: http.address, grpc: grpc.address })
    oauth?.bound(http.address)
    stops.push(() => http.stop(drainMs))
    jobs.start()
    stops.push(() => jobs.close())
    const agents = await listenAgents({
      config,
      log,
      grpc: (at) =>
        listening('agentsGrpc', listenGrpc({ ...behindGrpc, agents: at, onFault: metrics.faultsOf('agents_grpc') })),
      http: (at) =>
        listening('agentsHttp', listenHttp({ ...behindHttp, agents: at, onFault: metrics.faultsOf('agents_http') })),
      stops,
      drainMs,
    })
    oauth?.bound(http.address, agents.agentsHttp)
    return { grpc: grpc.address, http: http.address, management: management.address, ...agents, apply, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
