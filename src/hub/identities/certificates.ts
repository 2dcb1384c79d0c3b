import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  BindCertificateResponseSchema,
  CertificateSchema,
  IdentityService,
  ListCertificatesResponseSchema,
  RevokeCertificateResponseSchema,
  type Certificate,
} from '@portcullis/contract'
import { certificateFacts, clientCertificate, isRefusal, onlyCertificate, publicId, refuse, uuidv7 } from '#core'
import type { CertificateFacts, Refusal } from '#core'
import { maskText } from '#ledger'
import { Fields } from '../fields.ts'
import { read, readScope, write } from '../handler.ts'
import { listPage } from '../paging.ts'
import { effect, type CertificateRow } from '../ports.ts'
import { grantRefusal } from './rules.ts'

const pemCharactersMax = 16_384
const subjectCharactersMax = 1000

const bindCertificate = write(
  IdentityService.method.bindCertificate,
  (message, { caller, clock, services }) => {
    const fields = new Fields()
    const nowMs = clock.now()
    const certificate = certificateIn(message.certificatePem, fields, nowMs)
    const asked = message.expiresAt === undefined ? undefined : fields.moment('expiresAt', message.expiresAt)
    if (asked !== undefined && asked <= nowMs) fields.wrong('expiresAt', 'must be in the future')
    const agentId = fields.id('agentId', message.agentId, 'agt')
    const scopes = fields.texts('scopes', message.scopes, 50, 100).toSorted()
    // As for keys: one that is bound to a network, a rate or a time could otherwise make itself free of that.
    if (caller.kind !== 'operator')
      return refuse('identity.scope_exceeds', 'a certificate is bound by an operator', {
        detail: 'only operators bind certificates',
      })
    const refusal = fields.refusal ?? grantRefusal(scopes, caller, services)
    if (refusal !== undefined || certificate === undefined) return refusal ?? refuse('input.invalid', 'no certificate')
    const args = {
      id: uuidv7(nowMs),
      agentId,
      thumbprint: Buffer.from(certificate.thumbprint, 'base64url').toString('hex'),
      subjectDn: certificate.subject,
      scopes,
      createdAtMs: nowMs,
      expiresAtMs: Math.min(certificate.validToMs, asked ?? certificate.validToMs),
    }
    return effect({
      operation: 'certificate.bind',
      key: args.thumbprint,
      args,
      changesCredentials: true,
      answer: (row) =>
        row?.verdict === 'done'
          ? {
              reply: create(BindCertificateResponseSchema, {
                certificate: certificateMessage({ ...args, revokedAtMs: null }),
              }),
            }
          : notBound(row?.verdict, certificate.thumbprint),
    })
  },
  ({ agentId, scopes, certificatePem }) => ({
    agentId,
    scopes: scopes.slice(0, 50),
    thumbprint: thumbprintIn(certificatePem),
  }),
)

const listCertificates = read(
  IdentityService.method.listCertificates,
  async (message, { caller, reader }) => {
    const fields = new Fields()
    const filter = message.agentId === '' ? {} : { agentId: fields.id('agentId', message.agentId, 'agt') }
    if (fields.refusal !== undefined) return fields.refusal
    const scope = readScope(caller, false)
    const list = await listPage(
      'certificates',
      { ...filter, tenant: scope.tenantId },
      message,
      (page) => reader.certificates(scope, filter, page),
      certificateMessage,
    )
    if (isRefusal(list)) return list
    return create(ListCertificatesResponseSchema, { certificates: [...list.items], nextPageToken: list.nextPageToken })
  },
  ({ pageSize, agentId }) => ({ agentId, pageSize }),
)

const revokeCertificate = write(
  IdentityService.method.revokeCertificate,
  (message, { clock }) => {
    const fields = new Fields()
    const id = fields.id('certificateId', message.certificateId, 'crt')
    if (fields.refusal !== undefined) return fields.refusal
    return effect({
      operation: 'certificate.revoke',
      key: id,
      args: { id, atMs: clock.now() },
      changesCredentials: true,
      answer: (row) =>
        row === undefined
          ? refuse('object.not_found', 'no such certificate')
          : { reply: create(RevokeCertificateResponseSchema, { certificate: certificateMessage(row) }) },
    })
  },
  ({ certificateId }) => ({ certificateId }),
)

export const certificateHandlers = [bindCertificate, listCertificates, revokeCertificate]

function notBound(verdict: 'object.state' | 'object.exists' | undefined, thumbprint: string): Refusal {
  if (verdict === undefined) return refuse('object.not_found', 'no such agent')
  if (verdict === 'object.state') return refuse('object.state', 'agent disabled', { detail: 'the agent is disabled' })
  return refuse('object.exists', `certificate ${thumbprint} is bound`, {
    detail: 'the certificate is bound already; revoke that first, or use a certificate of its own',
  })
}

function certificateIn(pem: string, fields: Fields, nowMs: number): CertificateFacts | undefined {
  const text = fields.required('certificatePem', pem, pemCharactersMax)
  if (fields.refusal !== undefined) return undefined
  const found = clientCertificate(text, nowMs)
  if (typeof found === 'string') {
    fields.wrong('certificatePem', found)
    return undefined
  }
  if (found.subject.length > subjectCharactersMax) {
    fields.wrong('certificatePem', `has a subject of more than ${subjectCharactersMax} characters`)
    return undefined
  }
  return found
}

/** What the ledger shows of a certificate, also of one that was refused. */
function thumbprintIn(pem: string): string {
  const certificate = pem.length > pemCharactersMax ? '' : onlyCertificate(pem)
  return typeof certificate === 'string' ? '' : certificateFacts(certificate).thumbprint
}

function certificateMessage(row: CertificateRow): Certificate {
  return create(CertificateSchema, {
    id: publicId('crt', row.id),
    agentId: publicId('agt', row.agentId),
    thumbprint: Buffer.from(row.thumbprint, 'hex').toString('base64url'),
    subjectDn: maskText(row.subjectDn),
    scopes: [...row.scopes],
    createdAt: timestampFromMs(row.createdAtMs),
    expiresAt: timestampFromMs(row.expiresAtMs),
    ...(row.revokedAtMs === null ? {} : { revokedAt: timestampFromMs(row.revokedAtMs) }),
  })
}
