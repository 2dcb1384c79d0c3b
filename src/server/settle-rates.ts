import { refuse, type Refusal } from '#core'
import {
  chargeHere,
  furtherCharge,
  settle,
  type Allowed,
  type Call,
  type Charge,
  type Charged,
  type Decision,
  type GatePorts,
} from '#gate'

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

/** Takes what a call costs in all, beyond what its method did; the refusal where that is not there. */
export async function spend(
  call: Call,
  decision: Allowed,
  cost: number,
  { gate, sharedRates }: { readonly gate: GatePorts; readonly sharedRates?: SharedRatesPort | undefined },
): Promise<Refusal | undefined> {
  const charge = furtherCharge(call, decision, cost, gate)
  if (charge === undefined) return undefined
  const paid = await settled(decision, [charge], gate, sharedRates)
  return paid.refused ? paid.refusal : undefined
}
