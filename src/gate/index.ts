export { addressGroup } from './address-group.ts'
export type { Allowed, Call, Decision, Denied, PresentedCredential } from './call.ts'
export type { PeerCertificate, RequestTarget } from './call.ts'
export { decide, locate } from './chain.ts'
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
export type { SigningAlgorithm, SigningKeyPort, SigningKeyRecord } from './ports.ts'
export { claimOf, digestProblem, hasSignature, signatureIsRight } from './signature/index.ts'
export type { SignedMessage } from './signature/index.ts'
export type { KillPort, PolicyPort, TokenHolder, TokenPort } from './ports.ts'
export type { AnonymousPort, BypassNetwork, BypassPort, GuardPort, ServiceGuard } from './ports.ts'
export { judgeToken, modeOf, type TokenGuard, type TokenResult } from './service-token.ts'
export { callerOf, identifyCredential } from './steps/authenticate.ts'
export type { Rate } from '#core'
