import { getOption, hasOption, type DescMessage, type DescMethod, type DescService } from '@bufbuild/protobuf'
import { access, AccessClass, AuditMode, Risk } from './gen/portcullis/v1/access_pb.ts'
import { AuthorizationService } from './gen/portcullis/v1/authorization_pb.ts'
import { BudgetService } from './gen/portcullis/v1/budget_pb.ts'
import { CostService } from './gen/portcullis/v1/cost_pb.ts'
import { HubService } from './gen/portcullis/v1/hub_pb.ts'
import { IdentityService } from './gen/portcullis/v1/identity_pb.ts'
import { JobsService } from './gen/portcullis/v1/jobs_pb.ts'
import { KillService } from './gen/portcullis/v1/kill_pb.ts'
import { LedgerService } from './gen/portcullis/v1/ledger_pb.ts'
import { OpsService } from './gen/portcullis/v1/ops_pb.ts'
import { PolicyService } from './gen/portcullis/v1/policy_pb.ts'
import { PostureService } from './gen/portcullis/v1/posture_pb.ts'
import { TenantService } from './gen/portcullis/v1/tenant_pb.ts'

export type AccessClassName = 'public_read' | 'private_read' | 'write'
/** When a call is answered, and what has to be written down for that (SPEC L7). */
export type AuditModeName = 'best_effort' | 'required' | 'required_offbox'

/** One method of the contract with what the gate demands of its calls. */
export interface Method {
  /** `/portcullis.v1.<Service>/<Method>`: the gRPC path and the HTTP path alike. */
  readonly path: string
  readonly input: DescMessage
  readonly output: DescMessage
  readonly access: AccessClassName
  /** Empty for public reads only. */
  readonly scope: string
  readonly risk: 'normal' | 'high'
  readonly idempotent: boolean
  readonly ownObjects: boolean
  readonly unrecorded: boolean
  readonly audit: AuditModeName
  /** `audit` is best_effort, and there is an entry. */
  readonly bestEffort: boolean
  /** Tokens that a call takes from its rate bucket (SPEC G7). */
  readonly cost: number
  /** Under pressure refused after all others (SPEC O14). */
  readonly shedLast: boolean
  /** Refused where no sink is configured; only with required_offbox. */
  readonly needsSink: boolean
  /** Goes on while a kill switch is engaged for the caller (SPEC K4). */
  readonly whileKilled: boolean
  /** Answers with a stream of its output. */
  readonly streaming: boolean
}

const classes: Readonly<Record<AccessClass, AccessClassName | undefined>> = {
  [AccessClass.UNSPECIFIED]: undefined,
  [AccessClass.PUBLIC_READ]: 'public_read',
  [AccessClass.PRIVATE_READ]: 'private_read',
  [AccessClass.WRITE]: 'write',
}

const modes: Readonly<Record<AuditMode, AuditModeName | undefined>> = {
  [AuditMode.UNSPECIFIED]: undefined,
  [AuditMode.BEST_EFFORT]: 'best_effort',
  [AuditMode.REQUIRED]: 'required',
  [AuditMode.REQUIRED_OFFBOX]: 'required_offbox',
}

/** Reads the access option of a method. Throws where it is absent or contradicts itself: such a method must not be served (SPEC C1). */
export function accessOf(method: DescMethod): Method {
  const path = `/${method.parent.typeName}/${method.name}`
  if (!hasOption(method, access))
    throw new Error(`${path} has no (access) option; declare class, scope and risk in the contract`)
  const option = getOption(method, access)
  const accessClass = classes[option.class]
  if (accessClass === undefined) throw new Error(`${path} declares no access class`)
  if (option.risk === Risk.UNSPECIFIED) throw new Error(`${path} declares no risk`)
  if ((option.scope === '') !== (accessClass === 'public_read')) {
    throw new Error(`${path}: a scope is required for all but public reads, and public reads take none`)
  }
  if (option.idempotent !== (accessClass === 'write'))
    throw new Error(`${path}: writes, and only writes, are idempotent`)
  if (option.idempotent !== method.input.fields.some((field) => field.name === 'idempotency_key')) {
    throw new Error(`${path}: the field idempotency_key and the option idempotent go together`)
  }
  const audit = modes[option.audit] ?? (accessClass === 'public_read' ? 'best_effort' : 'required')
  if (audit === 'required_offbox' && accessClass !== 'write') throw new Error(`${path}: only writes have an intent`)
  if (option.needsSink && audit !== 'required_offbox') throw new Error(`${path}: only required_offbox looks at sinks`)
  if (method.methodKind !== 'unary' && (method.methodKind !== 'server_streaming' || accessClass === 'write'))
    throw new Error(`${path}: calls are unary, and only reads answer with a stream`)
  if (audit === 'best_effort' && accessClass === 'write') throw new Error(`${path}: a write commits with its entry`)
  return {
    path,
    input: method.input,
    output: method.output,
    access: accessClass,
    scope: option.scope,
    risk: option.risk === Risk.HIGH ? 'high' : 'normal',
    idempotent: option.idempotent,
    ownObjects: option.ownObjects,
    unrecorded: option.unrecorded,
    audit,
    bestEffort: audit === 'best_effort' && !option.unrecorded,
    cost: Math.max(1, option.cost),
    shedLast: option.shedLast,
    needsSink: option.needsSink,
    whileKilled: option.whileKilled,
    streaming: method.methodKind === 'server_streaming',
  }
}

const services: readonly DescService[] = [
  AuthorizationService,
  BudgetService,
  CostService,
  HubService,
  IdentityService,
  JobsService,
  KillService,
  LedgerService,
  OpsService,
  PolicyService,
  PostureService,
  TenantService,
]

/** Every method of the contract by path. Built at import: a method without its option stops the start. */
export const methods: ReadonlyMap<string, Method> = new Map(
  services.flatMap((service) =>
    service.methods.map((method) => [`/${service.typeName}/${method.name}`, accessOf(method)]),
  ),
)

/** The entry of `methods` for a method descriptor such as `HubService.method.startRun`. */
export function methodOf(method: DescMethod): Method {
  const found = methods.get(`/${method.parent.typeName}/${method.name}`)
  if (found === undefined) throw new Error(`${method.parent.typeName}.${method.name} is not a method of the contract`)
  return found
}
