import * as z from 'zod'
import { refusals } from '#core'
import { CliError } from './errors.ts'

const problemShape = z.object({
  code: z.string(),
  title: z.string().optional(),
  detail: z.string().optional(),
  requestId: z.string().optional(),
})

/** The error for an answer that is not a result: a problem document (RFC 9457), or something that is no portcullis at all. */
export function refusedBy(
  url: string,
  status: number,
  body: unknown,
  requestId: string | undefined,
  hadKey: boolean,
): CliError {
  const parsed = problemShape.safeParse(body)
  if (!parsed.success) {
    return new CliError(
      'unavailable',
      'cli.not_portcullis',
      `${url} answered ${status}, and not as a portcullis server does.`,
      {
        todo: 'Check PORTCULLIS_URL or --url: it names the HTTP listener (8080 by default), not gRPC or management.',
        requestId,
      },
    )
  }
  const { code, title, detail } = parsed.data
  const say = title ?? `The server refused the call (${status}).`
  const more = detail === undefined || detail === title ? '' : ` ${detail}`
  return new CliError('refused', code, `${say}${more}`, {
    todo: adviceFor(code, hadKey),
    requestId: parsed.data.requestId ?? requestId,
  })
}

/** The error for no answer at all. */
export function unreachable(url: string, error: unknown, deadlineMs: number): CliError {
  const cause = innermost(error)
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : ''
  if (cause.name === 'TimeoutError') {
    return new CliError('unavailable', 'cli.deadline', `${url} did not answer within ${deadlineMs / 1000} s.`, {
      todo: 'Look whether a write took effect before you repeat it.',
      cause: error,
    })
  }
  if (code === 'ECONNRESET' || code === 'UND_ERR_SOCKET') {
    return new CliError('unavailable', 'cli.connection_lost', `${url} closed the connection before it answered.`, {
      todo: 'Look whether a write took effect before you repeat it, and whether the URL names the HTTP listener.',
      cause: error,
    })
  }
  const why = reasons[code] ?? cause.message
  return new CliError('unavailable', 'cli.unreachable', `No server answers at ${url} (${why}).`, {
    todo: 'Start one with `portcullis up`, or name another with PORTCULLIS_URL or --url.',
    cause: error,
  })
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the name cannot be resolved now',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS; write http:// if that is meant',
  SELF_SIGNED_CERT_IN_CHAIN: 'no authority known here signed its certificate; name that with PORTCULLIS_CA',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate signed itself; name that with PORTCULLIS_CA',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'no authority known here signed its certificate; name that with PORTCULLIS_CA',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'it asks for a client certificate',
  'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE': 'it ended the handshake; it may ask for a client certificate',
}

const advice = new Map(Object.entries(refusals).map(([code, { help }]) => [code, help]))

function adviceFor(code: string, hadKey: boolean): string | undefined {
  if (code === 'auth.credential_missing' && !hadKey) {
    return 'Set PORTCULLIS_KEY (the first `portcullis up` printed it), name a file with --key-file, or sign in with `portcullis login`.'
  }
  if (code === 'auth.credential_invalid') {
    return 'Check the key for typing errors, expiry and revocation; `portcullis admin recover` makes a new admin key.'
  }
  return advice.get(code)
}

function innermost(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error))
  if (error instanceof AggregateError && error.errors.length > 0) return innermost(error.errors[0])
  return error.cause instanceof Error ? innermost(error.cause) : error
}
