import type { Client } from 'pg'
import { publicId, uuidv7, type Caller } from '#core'
import { encodeBody, type EntryKind } from '#ledger'

export interface KeyEvent {
  readonly kind: Extract<
    EntryKind,
    'key.rotated' | 'pseudonym_key.created' | 'pseudonym_key.destroyed' | 'token_key.made'
  >
  readonly args: Readonly<Record<string, string | number>>
  /** Who asked; undefined where the server or somebody with its settings did. */
  readonly caller?: Pick<Caller, 'id' | 'kind'> | undefined
}

/** What happened to a key, in the log `system`; part of the transaction that does it (SPEC S1). */
export async function appendKeyEvent(client: Client, { kind, args, caller }: KeyEvent): Promise<void> {
  const body = encodeBody({
    access: 'system',
    args,
    at: new Date().toISOString(),
    bypass: false,
    caller,
    elapsedUs: 0,
    id: publicId('ent', uuidv7()),
    kind,
    method: '(keys)',
    outcome: 'allow',
  })
  await client.query({
    name: 'secrets.entry',
    text: `select from audits.append('system', '', $1, '', $2, 'allow', '', '', $3)`,
    values: [caller?.id ?? '', kind, body],
  })
}
