import { fromBinary } from '@bufbuild/protobuf'
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { describe, expect, it } from 'vitest'
import { ErrorInfoSchema, RetryInfoSchema, StatusSchema } from '@portcullis/contract'
import { grpcCodes, refusals, refuse, type RefusalCode } from '#core'
import { publicMessage, statusDetails } from './error-info.ts'

const codes = Object.keys(refusals) as RefusalCode[]

describe('a refusal on the wire', () => {
  it.each(codes)('C3: %s is google.rpc.Status with ErrorInfo, and holds nothing private', (code) => {
    const bytes = statusDetails(refuse(code, 'PRIVATE-REASON'), 'req_1')
    const { code: number, message, details } = fromBinary(StatusSchema, bytes)
    expect([number, message, details.length]).toEqual([grpcCodes[refusals[code].grpc], refusals[code].say, 1])
    const info = details[0] && anyUnpack(details[0], ErrorInfoSchema)
    expect(info).toMatchObject({ reason: code, domain: 'portcullis', metadata: { requestId: 'req_1' } })
    expect(Buffer.from(bytes).includes('PRIVATE')).toBe(false)
  })

  it('C3: the public detail is in the sentence and in the metadata', () => {
    const refusal = refuse('auth.scope_missing', 'PRIVATE', { detail: 'ledger:read' })
    expect(publicMessage(refusal)).toBe('The credential lacks a required scope. (ledger:read)')
    const { details } = fromBinary(StatusSchema, statusDetails(refusal, 'req_1'))
    expect(details[0] && anyUnpack(details[0], ErrorInfoSchema)?.metadata).toEqual({
      requestId: 'req_1',
      detail: 'ledger:read',
    })
  })

  it('G7: a wait is RetryInfo too', () => {
    const { details } = fromBinary(
      StatusSchema,
      statusDetails(refuse('rate.limited', 'x', { retryAfterSeconds: 3 }), 'req_1'),
    )
    expect(details[1] && anyUnpack(details[1], RetryInfoSchema)?.retryDelay).toMatchObject({ seconds: 3n, nanos: 0 })
  })
})
