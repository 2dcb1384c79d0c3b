import { lookup, type LookupAddress } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { addressProblem, type AddressPolicy } from './address-rules.ts'

export type Resolve = (
  host: string,
  done: (error: Error | null, addresses: readonly Pick<LookupAddress, 'address' | 'family'>[]) => void,
) => void

const system: Resolve = (host, done) => lookup(host, { all: true }, (error, addresses) => done(error, addresses ?? []))

/**
 * Resolves a name once, for the connection that is about to be made: what is checked is what is connected to, so that an answer
 * that changes between the two (rebinding) changes nothing. One address that may not be called refuses the name as a whole.
 */
export function guardedLookup(policy: AddressPolicy, resolve: Resolve = system): LookupFunction {
  return (host, options, done) => {
    resolve(host, (error, addresses) => {
      const [first] = addresses
      if (error !== null || first === undefined) {
        return done(error ?? new Error('the name has no address'), '')
      }
      for (const { address } of addresses) {
        const problem = addressProblem(address, policy)
        if (problem !== undefined) return done(new RefusedAddress(host, address, problem), '')
      }
      const wanted = options.family === 4 || options.family === 6 ? options.family : undefined
      const fitting = addresses.filter(({ family }) => wanted === undefined || family === wanted)
      if (options.all === true) return done(null, [...fitting])
      const one = fitting[0] ?? first
      done(null, one.address, one.family)
    })
  }
}

/** A name that leads where nothing may be sent. */
export class RefusedAddress extends Error {
  constructor(host: string, address: string, problem: string) {
    super(`${host} is ${host === address ? '' : `at ${address}, `}${problem}`)
  }
}
