export { keyPartOf, makeKey, parseKey, type ParsedKey } from './api-key.ts'
export { isPlatform, type Caller, type Tenant } from './caller.ts'
export { canonicalJson, type Json } from './canonical-json.ts'
export { systemClock, type Clock } from './clock.ts'
export { parseId, publicId, uuidv7, type IdPrefix } from './ids.ts'
export { cidrContains, isLoopback, parseAddress, parseCidr, parseIp, type Address, type Cidr } from './net.ts'
export type { Rate, RateState } from './rate.ts'
export {
  grpcCodes,
  isRefusal,
  refusals,
  refuse,
  type GrpcCodeName,
  type Refusal,
  type RefusalCode,
} from './refusals.ts'
export {
  closeScopes,
  noServices,
  platformAdminScopes,
  scopes,
  serviceScopePattern,
  tenantAdminScopes,
  type ServiceActions,
} from './scopes.ts'
export { digestsEqual, Secret, secretsEqual, sha256, sha256Hex } from './secret.ts'
