import type { Logger } from 'pino'
import { anonymous, clientId, scopesText, type Decided } from './decided.ts'

export const auditLogger = 'portcullis.authorization.audit'
const message = 'portcullis authorization audit'

/** The fields of one audit line (SPEC J3), the same for the log and for forwarders. */
export interface AuditFields {
  readonly route: string
  readonly status: number
  readonly subject: string
  readonly clientId: string
  readonly scopes: string
  readonly bypass: boolean
  readonly remote: string
  readonly requestId: string
}

export function auditFields({ route, status, caller, bypass, remote, requestId }: Decided): AuditFields {
  return {
    route,
    status,
    subject: caller?.id ?? anonymous,
    clientId: clientId(caller),
    scopes: scopesText(caller),
    bypass,
    remote,
    requestId,
  }
}

/** Writes the audit line where the log writes at `info`; else costs a comparison. */
export function writeAuditLine(log: Logger, decided: Decided): void {
  if (log.isLevelEnabled('info')) log.info({ logger: auditLogger, ...auditFields(decided) }, message)
}

/** The line in text. What may be text from outside becomes one word: the subject of another issuer, what a trusted proxy forwarded. */
export function auditText(fields: AuditFields): string {
  const { route, status, subject, clientId: client, scopes, bypass, remote, requestId } = fields
  const is = bypass ? 'True' : 'False'
  const who = `subject=${word(subject)} clientId=${word(client)} scopes=${words(scopes)}`
  return `${message} route=${route} status=${status} ${who} bypass=${is} remote=${word(remote)} requestId=${requestId}`
}

export function isAuditLine(
  fields: Readonly<Record<string, unknown>>,
): fields is Readonly<Record<string, unknown>> & AuditFields {
  return fields['logger'] === auditLogger
}

function word(text: string): string {
  return text.replace(/[^\x21-\x7e]/g, '?')
}

/** A scope with `=` in it would look like a field. */
function words(text: string): string {
  return text.replace(/[^\x20-\x7e]|=/g, '?')
}
