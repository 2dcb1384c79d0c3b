import { Gcra, type GatePorts } from '#gate'

/** The gate without its buckets and counters: it is asked again whether a call that has been let in would still be. */
export function withoutBuckets(gate: GatePorts): GatePorts {
  const endless = new Gcra({ perSecond: 1e9, burst: 1e9 }, 1)
  const free = { failures: endless, addresses: endless, calls: endless, shared: false, workers: 1 }
  const { guards } = gate
  // It was counted when the stream began.
  const uncounted =
    guards === undefined
      ? undefined
      : { of: guards.of.bind(guards), tenant: guards.tenant.bind(guards), saw: () => undefined }
  return { ...gate, ...free, guards: uncounted }
}
