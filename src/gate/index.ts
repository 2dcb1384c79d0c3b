export type { Allowed, Call, Decision, Denied, PresentedCredential } from './call.ts'
export { decide } from './chain.ts'
export { Gcra } from './gcra.ts'
export type { GatePorts, KeyPort, KeyRecord, Rate } from './ports.ts'
