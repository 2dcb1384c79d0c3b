export { addressGroup } from './address-group.ts'
export type { Allowed, Call, Decision, Denied, PresentedCredential } from './call.ts'
export type { PeerCertificate } from './call.ts'
export { decide } from './chain.ts'
export {
  addressCharge,
  chargeHere,
  furtherCharge,
  limited,
  settle,
  shareOf,
  type Charge,
  type Charged,
} from './charge.ts'
export { Gcra, tokensLeft } from './gcra.ts'
export type { CertificatePort, CertificateRecord, GatePorts, KeyPort, KeyRecord, LegacyPort } from './ports.ts'
export type { KillPort, PolicyPort, TokenPort } from './ports.ts'
export { callerOf, identifyCredential } from './steps/authenticate.ts'
export type { Rate } from '#core'
