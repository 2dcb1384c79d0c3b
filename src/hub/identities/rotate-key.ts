import { create } from '@bufbuild/protobuf'
import { IdentityService, RotateKeyResponseSchema } from '@portcullis/contract'
import { makeKey, refuse, sha256Hex, uuidv7, type Refusal } from '#core'
import { Fields } from '../fields.ts'
import { bare, write } from '../handler.ts'
import { effect, type KeyRow, type Operations } from '../ports.ts'
import { grantableBy, inPerson, keyMessage } from './rules.ts'

const graceSecondsMax = 30 * 86_400

/** A new key in the place of an old one, which goes on working until its grace ends (SPEC G5). */
export const rotateKey = write(
  IdentityService.method.rotateKey,
  (message, { caller, clock, services }) => {
    const fields = new Fields()
    const nowMs = clock.now()
    const newId = uuidv7(nowMs)
    const { text, secret } = makeKey(newId)
    const expiresAtMs = message.expiresAt === undefined ? null : fields.moment('expiresAt', message.expiresAt)
    if (expiresAtMs !== null && expiresAtMs <= nowMs) fields.wrong('expiresAt', 'must be in the future')
    const args = {
      id: fields.id('keyId', message.keyId, 'key'),
      newId,
      digest: sha256Hex(secret),
      // An app could otherwise leave with a key of the person, which goes on when its session is ended.
      operatorId: inPerson(caller) ? bare(caller.id) : null,
      grantable: [...grantableBy(caller, services)].toSorted(),
      atMs: nowMs,
      graceMs: fields.integer('graceSeconds', message.graceSeconds, 0, graceSecondsMax) * 1000,
      expiresAtMs,
    }
    // As for making a key: one that is bound to a time could otherwise outlive it.
    if (caller.kind !== 'operator')
      return refuse('identity.scope_exceeds', 'a key is rotated by an operator', {
        detail: 'only operators rotate keys',
      })
    if (fields.refusal !== undefined) return fields.refusal
    return effect({
      operation: 'key.rotate',
      key: args.id,
      args,
      changesCredentials: true,
      answer: (row) => {
        if (row === undefined)
          return refuse('object.not_found', 'no such key here, or that of another operator', {
            detail: 'the key of an operator is rotated by that operator',
          })
        if (row.verdict !== 'done') return refusalOf(row)
        const apiKey = keyMessage(newKey(row, args))
        const oldKey = keyMessage(oldKeyAfter(row, args))
        // The key text leaves here and nowhere else: what is stored for a replay does not hold it.
        return {
          reply: create(RotateKeyResponseSchema, { apiKey, key: text.reveal(), oldKey }),
          stored: create(RotateKeyResponseSchema, { apiKey, oldKey }),
        }
      },
    })
  },
  ({ keyId, graceSeconds }) => ({ graceSeconds, keyId }),
)

type Row = Operations['key.rotate']['row']
type Args = Operations['key.rotate']['args']

function refusalOf({ id, missing, verdict }: Row): Refusal {
  if (verdict === 'scopes') {
    const lacking = missing.toSorted().join(', ')
    return refuse('identity.scope_exceeds', `caller lacks ${lacking}`, { detail: lacking })
  }
  const why = verdict === 'disabled' ? 'the agent of the key is disabled' : `the key is ${verdict} already`
  return refuse('object.state', `key_${id}: ${why}`, { detail: why })
}

function newKey(old: KeyRow, { newId, atMs, expiresAtMs }: Args): KeyRow {
  return {
    ...old,
    id: newId,
    createdAtMs: atMs,
    expiresAtMs: expiresAtMs ?? old.expiresAtMs,
    revokedAtMs: null,
    lastUsedAtMs: null,
    replacedBy: null,
  }
}

function oldKeyAfter(old: KeyRow, { newId, atMs, graceMs }: Args): KeyRow {
  return {
    ...old,
    expiresAtMs: Math.min(old.expiresAtMs ?? Number.POSITIVE_INFINITY, atMs + graceMs),
    revokedAtMs: graceMs === 0 ? atMs : null,
    replacedBy: newId,
  }
}
