import { setTimeout as delay } from 'node:timers/promises'
import { retentionPolicy, type RetentionClass } from '#config'
import type { JobHandler } from '../job.ts'
import { logsOf, type JobTools } from './tools.ts'

const shownMax = 100
const lookEveryMs = 250

/** Signs what is in each log now. */
export function checkpoint(tools: JobTools): JobHandler {
  return async ({ signal }) => {
    const checkpoints = tools.checkpoints()
    if (checkpoints === undefined) throw new Error('no key signs checkpoints here: set audit.checkpoints.keyFile')
    const failed: { log: string; why: string }[] = []
    let signed = 0
    for (const { log } of await logsOf(tools)) {
      signal.throwIfAborted()
      const covered = await checkpoints.cover(log, 0, signal)
      if (covered.ok) signed += 1
      else failed.push({ log, why: covered.why })
    }
    if (failed.length > 0)
      throw new Error(`${failed.length} logs are not signed: ${failed[0]?.log ?? ''}: ${failed[0]?.why ?? ''}`)
    return { signed }
  }
}

/** Replays every log. A broken one is a result, and shows in ledger_chain_valid until a later replay finds it whole. */
export function ledgerVerification(tools: JobTools): JobHandler {
  return async ({ signal, progress }) => {
    const logs = await logsOf(tools)
    const broken = new Map<string, string>()
    const tooLong: string[] = []
    let [entries, verified] = [0, 0]
    for (const { log, scope } of logs) {
      signal.throwIfAborted()
      const verdict = await tools.reader.verify(scope, log)
      if (verdict === 'too_long') tooLong.push(log)
      else if (verdict !== undefined) {
        entries += verdict.to - verdict.from
        if (!verdict.chainValid) broken.set(log, verdict.problem)
      }
      verified += 1
      await progress({ logs: logs.length, verified })
    }
    tools.broken(broken)
    return {
      chainValid: broken.size === 0,
      logs: logs.length,
      entries,
      broken: [...broken].slice(0, shownMax).map(([log, problem]) => ({ log, problem })),
      // Not looked at to the end: `portcullis ledger verify` has no such bound.
      tooLong: tooLong.slice(0, shownMax),
    }
  }
}

/** Waits until each sink has what was there when the job began. */
export function sinkReplay(tools: JobTools): JobHandler {
  return async ({ signal, progress }) => {
    const began = performance.now()
    for (;;) {
      const lags = tools.sinkLags().map(({ sink, entries, seconds }) => ({ sink, entries, seconds }))
      const elapsed = (performance.now() - began) / 1000
      // What is still missing has come since.
      if (lags.every(({ entries, seconds }) => entries === 0 || seconds < elapsed)) return { sinks: lags }
      await progress({ sinks: lags })
      await delay(lookEveryMs, undefined, { signal })
    }
  }
}

/** What the ledger's retention asks for; pruning is the maintenance role's, with an archive. */
export function ledgerPolicies({ config }: JobTools) {
  const classes: readonly RetentionClass[] = ['default', 'hipaa', 'pci', 'soc2', 'custom']
  return classes.flatMap((of) => {
    const policy = retentionPolicy(config.audit.retention, of)
    return policy === undefined ? [] : [{ class: of, keepDays: policy.keepDays, hotDays: policy.hotDays }]
  })
}
