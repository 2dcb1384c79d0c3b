import { refuse } from '#core'
import { chargeHere, settle, type Charge, type Charged, type Decision, type GatePorts } from '#gate'

/** Keeps the buckets of the gate where several replicas share them (SPEC G7); undefined where the call must be refused. */
export interface SharedRatesPort {
  take(charges: readonly Charge[]): Promise<Charged | undefined>
}

/** The decision once its charges are taken: from the shared buckets, or from those of this process. */
export async function settled(
  decision: Decision,
  charges: readonly Charge[],
  gate: GatePorts,
  rates: SharedRatesPort | undefined,
): Promise<Decision> {
  const charged = rates === undefined ? chargeHere(charges, gate) : await rates.take(charges)
  if (charged !== undefined) return settle(decision, charges, charged)
  const refusal = refuse('store.unavailable', 'the shared rate limits are away', { retryAfterSeconds: 1 })
  return { refused: true, refusal, caller: decision.caller }
}
