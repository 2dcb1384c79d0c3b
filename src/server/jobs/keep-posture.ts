import { RecordReportResponseSchema } from '@portcullis/contract'
import { create } from '@bufbuild/protobuf'
import type { Clock } from '#core'
import { bare, type PostureRow, type WriterPort } from '#hub'
import type { TenantDirectory } from '../callers/bound-caller.ts'
import { postureRecord } from './records.ts'

interface Parts {
  readonly writer: WriterPort
  readonly tenants: TenantDirectory
  readonly clock: Clock
}

/** Keeps reports of checks that jobs made; each commits with its entry. Rejects where it could not be kept. */
export function posturesInto({ writer, tenants, clock }: Parts) {
  return async (tenantName: string, posture: PostureRow): Promise<void> => {
    const tenant = tenants.tenant(tenantName)
    if (tenant === undefined) throw new Error(`There is no tenant ${tenantName}.`)
    const tenantId = bare(tenant.id)
    const result = await writer.submit({
      tenantId,
      record: (outcome) => postureRecord(posture, { tenant: tenant.name, tenantId }, outcome, clock.now()),
      effect: {
        operation: 'posture.record',
        key: posture.id,
        args: posture,
        answer: () => ({ reply: create(RecordReportResponseSchema) }),
      },
      output: RecordReportResponseSchema,
    })
    if (result.refused) throw new Error(`The report was not kept: ${result.code}.`)
  }
}
