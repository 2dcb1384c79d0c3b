import { createPublicKey, randomBytes, type KeyObject } from 'node:crypto'
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  CreateSigningKeyResponseSchema,
  IdentityService,
  ListSigningKeysResponseSchema,
  RevokeSigningKeyResponseSchema,
  SignatureAlgorithm,
  SigningKeySchema,
  type SigningKey,
} from '@portcullis/contract'
import { isPlatform, isRefusal, publicId, refuse, Secret, uuidv7, type Caller, type Refusal } from '#core'
import { Fields } from '../fields.ts'
import { bare, read, readScope, write, writeLater } from '../handler.ts'
import { listPage } from '../paging.ts'
import { effect, type SealPort, type SigningKeyCreate, type SigningKeyRow, type Work } from '../ports.ts'

const pemMax = 2000
const secretBytes = 32
const { UNSPECIFIED, ED25519, HMAC_SHA256 } = SignatureAlgorithm
const algorithms = [UNSPECIFIED, ED25519, HMAC_SHA256] as const

const createSigningKey = writeLater(
  IdentityService.method.createSigningKey,
  (message, { caller, clock, sealing }) => {
    const fields = new Fields()
    const hmac = message.algorithm === HMAC_SHA256
    fields.choice('algorithm', message.algorithm, algorithms, 'ED25519, HMAC_SHA256')
    const nowMs = clock.now()
    const agentId = message.agentId === '' ? null : fields.id('agentId', message.agentId, 'agt')
    const args = {
      id: uuidv7(nowMs),
      agentId,
      operatorId: agentId === null ? bare(caller.id) : null,
      algorithm: hmac ? 'hmac-sha256' : 'ed25519',
      publicKey: hmac ? noPublicKey(fields, message.publicKeyPem) : publicKeyOf(fields, message.publicKeyPem),
      createdAtMs: nowMs,
      envelope: null,
      masterKeyId: null,
    } as const
    // What signs for an agent makes its key as good as it can be: an agent cannot give that to itself.
    if (caller.kind !== 'operator')
      return refuse('identity.scope_exceeds', 'a signing key is registered by an operator', {
        detail: 'only operators register signing keys',
      })
    if (fields.refusal !== undefined) return fields.refusal
    return hmac ? sealed(args, caller, sealing) : created(args, undefined)
  },
  ({ agentId, algorithm }) => ({ agentId, algorithm: algorithm === HMAC_SHA256 ? 'hmac-sha256' : 'ed25519' }),
)

const listSigningKeys = read(
  IdentityService.method.listSigningKeys,
  async (message, { caller, reader }) => {
    const fields = new Fields()
    const filter = message.agentId === '' ? {} : { agentId: fields.id('agentId', message.agentId, 'agt') }
    if (fields.refusal !== undefined) return fields.refusal
    const scope = readScope(caller, false)
    const list = await listPage(
      'signing_keys',
      { ...filter, tenant: scope.tenantId },
      message,
      (page) => reader.signingKeys(scope, filter, page),
      signingKeyMessage,
    )
    if (isRefusal(list)) return list
    return create(ListSigningKeysResponseSchema, { signingKeys: [...list.items], nextPageToken: list.nextPageToken })
  },
  ({ pageSize, agentId }) => ({ agentId, pageSize }),
)

const revokeSigningKey = write(
  IdentityService.method.revokeSigningKey,
  (message, { caller, clock }) => {
    const fields = new Fields()
    const id = fields.id('signingKeyId', message.signingKeyId, 'sgk')
    if (fields.refusal !== undefined) return fields.refusal
    return effect({
      operation: 'signing_key.revoke',
      key: id,
      args: { id, platformToo: isPlatform(caller), atMs: clock.now() },
      changesCredentials: true,
      answer: (row) =>
        row === undefined
          ? refuse('object.not_found', 'no such signing key')
          : { reply: create(RevokeSigningKeyResponseSchema, { signingKey: signingKeyMessage(row) }) },
    })
  },
  ({ signingKeyId }) => ({ signingKeyId }),
)

export const signingKeyHandlers = [createSigningKey, listSigningKeys, revokeSigningKey]

function created(args: SigningKeyCreate, secret: Secret | undefined): Work {
  return effect({
    operation: 'signing_key.create',
    key: args.id,
    args,
    changesCredentials: true,
    answer: (row) => {
      if (row === undefined) return refuse('object.not_found', 'no such agent')
      if (row.verdict === 'object.state')
        return refuse('object.state', 'owner disabled', { detail: 'the agent is disabled' })
      const signingKey = signingKeyMessage({ ...args, revokedAtMs: null })
      // As for keys: a replay does not hold the secret.
      return {
        reply: create(CreateSigningKeyResponseSchema, { signingKey, secret: secret?.reveal() ?? '' }),
        stored: create(CreateSigningKeyResponseSchema, { signingKey }),
      }
    },
  })
}

function sealed(
  args: SigningKeyCreate,
  { tenant }: Caller,
  sealing: SealPort | undefined,
): { readonly later: Promise<Work | Refusal> } | Refusal {
  if (sealing === undefined)
    return refuse('input.invalid', 'no master keys', {
      detail: 'algorithm HMAC_SHA256 needs master keys (secrets.keyFile), and none are configured: use ED25519',
    })
  const bytes = randomBytes(secretBytes)
  const secret = new Secret(bytes.toString('base64url'))
  const later = sealing.seal(bytes, bare(tenant.id), args.id).then(
    ({ envelope, keyId }) => created({ ...args, envelope: envelope.toString('hex'), masterKeyId: keyId }, secret),
    (error: unknown) =>
      refuse(
        'store.unavailable',
        `the secret cannot be sealed: ${error instanceof Error ? error.message : String(error)}`,
        {
          retryAfterSeconds: 1,
        },
      ),
  )
  return { later }
}

function noPublicKey(fields: Fields, pem: string): null {
  if (pem !== '') fields.wrong('publicKeyPem', 'must be empty for HMAC_SHA256: its secret is made here')
  return null
}

/** The public key as SubjectPublicKeyInfo in base64. A private key is refused: it must not have left its agent. */
function publicKeyOf(fields: Fields, pem: string): string | null {
  const key =
    pem.length > pemMax || /private key/i.test(pem)
      ? undefined
      : publicKeyIn(fields.required('publicKeyPem', pem, pemMax))
  if (key?.asymmetricKeyType === 'ed25519') return key.export({ type: 'spki', format: 'der' }).toString('base64')
  fields.wrong('publicKeyPem', 'must be the public key of an Ed25519 pair in PEM: `openssl pkey -in key.pem -pubout`')
  return null
}

function publicKeyIn(pem: string): KeyObject | undefined {
  try {
    return createPublicKey(pem)
  } catch {
    // Not a key: the field is told to be wrong.
    return undefined
  }
}

function signingKeyMessage(row: SigningKeyRow): SigningKey {
  return create(SigningKeySchema, {
    id: publicId('sgk', row.id),
    agentId: row.agentId === null ? '' : publicId('agt', row.agentId),
    algorithm: row.algorithm === 'ed25519' ? ED25519 : HMAC_SHA256,
    publicKeyPem: row.publicKey === null ? '' : pemOf(row.publicKey),
    createdAt: timestampFromMs(row.createdAtMs),
    ...(row.revokedAtMs === null ? {} : { revokedAt: timestampFromMs(row.revokedAtMs) }),
  })
}

/** An Ed25519 key is 44 bytes of DER: one line. */
function pemOf(base64: string): string {
  return `-----BEGIN PUBLIC KEY-----\n${base64}\n-----END PUBLIC KEY-----\n`
}
