import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js'
import { Pool } from 'pg'
import {
  HubService,
  RecordPromptAttemptRequestSchema,
  RecordPromptAttemptResponseSchema,
  type RecordPromptAttemptRequest,
} from '@portcullis/contract'

/**
 * The twin of P1: what one writes first. grpc-js, a pool of ten, one INSERT ... RETURNING per request; no key, no scope, no
 * limit, no idempotency, no totals, no ledger. Run as a process of its own; prints its port.
 */
const pool = new Pool({ connectionString: process.env['NAIVE_DATABASE_URL'], max: 10 })
await pool.query(`create table if not exists naive_attempts (
  id bigserial primary key, run_id text not null, attempt_number int not null, provider text not null, model text not null,
  prompt_version text not null, prompt_hash text not null, outcome int not null, error_message text not null,
  input_tokens bigint not null, output_tokens bigint not null, latency_ms bigint not null, created_at timestamptz not null default now())`)

const insert = `insert into naive_attempts (run_id, attempt_number, provider, model, prompt_version, prompt_hash, outcome,
  error_message, input_tokens, output_tokens, latency_ms) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) returning id`

async function record(message: RecordPromptAttemptRequest): Promise<Buffer> {
  const { rows } = await pool.query<{ id: string }>(insert, [
    message.runId,
    message.attemptNumber,
    message.provider,
    message.model,
    message.promptVersion,
    message.promptHash,
    message.outcome,
    message.errorMessage,
    message.tokens?.input ?? 0n,
    message.tokens?.output ?? 0n,
    message.latencyMs,
  ])
  const { runId, attemptNumber, provider, model, promptVersion, promptHash, outcome, latencyMs } = message
  const attempt = {
    id: rows[0]?.id ?? '',
    runId,
    attemptNumber,
    provider,
    model,
    promptVersion,
    promptHash,
    outcome,
    latencyMs,
  }
  const reply = create(RecordPromptAttemptResponseSchema, { attempt })
  return Buffer.from(toBinary(RecordPromptAttemptResponseSchema, reply))
}

const server = new Server()
server.register(
  `/${HubService.typeName}/RecordPromptAttempt`,
  (call: ServerUnaryCall<RecordPromptAttemptRequest, Buffer>, callback: sendUnaryData<Buffer>) => {
    record(call.request).then(
      (reply) => callback(null, reply),
      (error: unknown) => callback({ code: 13, details: String(error) }),
    )
  },
  (reply: Buffer) => reply,
  (bytes: Buffer) => fromBinary(RecordPromptAttemptRequestSchema, bytes),
  'unary',
)
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error
  console.log(JSON.stringify({ grpc: `127.0.0.1:${port}` }))
})
