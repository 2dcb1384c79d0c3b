import { passwordProblem, Passwords } from '#authority'
import { publicId, uuidv7 } from '#core'
import { encodeBody } from '#ledger'
import type { Owner } from '../bootstrap.ts'
import { RefusedError } from '../start-error.ts'

/** Who gets which password. */
export interface NewPassword {
  /** The name of the tenant. */
  readonly tenant: string
  readonly name: string
  readonly password: string
}

const refusals: ReadonlyMap<string | undefined, string> = new Map([
  ['disabled', 'the operator is disabled: make another one with `portcullis operator create`'],
  ['upstream', 'the operator signs in at the issuer, and has no password here'],
])

/**
 * Sets the password of an operator for whoever holds the owner role of the database (SPEC A9), and ends its sessions, tokens, links and
 * codes; one transaction with its entry, in the log of the tenant. Answers the public id of the operator.
 */
export async function setOperatorPassword(owner: Owner, { tenant, name, password }: NewPassword): Promise<string> {
  const problem = passwordProblem(password, [name, tenant, 'portcullis'])
  if (problem !== undefined) throw new RefusedError('this password is not taken', [problem])
  const hash = await new Passwords().hash(password)
  await owner.query('begin')
  try {
    const { rows } = await owner.query<{ verdict: string; operator_id: string; tenant_id: string }>(
      'select * from portcullis.set_operator_password($1, $2, $3)',
      [tenant, name, hash],
    )
    const [found] = rows
    if (found === undefined)
      throw new RefusedError(`there is no operator ${name} in the tenant ${tenant}`, [
        'name the operator and its tenant (--tenant) as they were made',
      ])
    const refusal = refusals.get(found.verdict)
    if (refusal !== undefined) throw new RefusedError(`operator ${name} gets no password`, [refusal])
    const operator = publicId('opr', found.operator_id)
    const body = encodeBody({
      access: 'system',
      args: { operator },
      at: new Date().toISOString(),
      bypass: false,
      elapsedUs: 0,
      id: publicId('ent', uuidv7()),
      kind: 'password.set',
      method: '(owner role)',
      outcome: 'allow',
      tenant: publicId('ten', found.tenant_id),
    })
    await owner.query(`select * from audits.append($1, $2, '', '', 'password.set', 'allow', '', '', $3)`, [
      tenant,
      found.tenant_id,
      body,
    ])
    await owner.query('commit')
    return operator
  } catch (error) {
    await owner.query('rollback')
    throw error
  }
}
