import { create, toBinary } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { AttemptOutcome, RecordPromptAttemptRequestSchema } from '@portcullis/contract'
import { Channel, sendUntilAnswered, type PreparedCall, type TraceRow } from '#demo'
import type { Reached } from '../ours.ts'

export const attemptPath = '/portcullis.v1.HubService/RecordPromptAttempt'
const agentCount = 5
const inFlight = 256
const sessionCount = 4

export interface Sent {
  /** The runs of the replay, ended. */
  readonly runIds: readonly string[]
  /** One for each row; the same when a call was tried again. */
  readonly requestIds: readonly string[]
  readonly retries: number
  readonly seconds: number
}

/**
 * Sends each row as one RecordPromptAttempt of five agents in turn, one run per agent and hour of the trace, as fast as 256 calls
 * in flight go. A call that finds the server away is sent again with its idempotency key, so that it is recorded once.
 */
export async function sendTrace(
  server: Reached,
  rows: readonly TraceRow[],
  say: (line: string) => void,
): Promise<Sent> {
  const name = `replay-${Date.now().toString(36)}`
  const agents = await Promise.all(Array.from({ length: agentCount }, (_, index) => server.agent(`${name}-${index}`)))
  const calls = await prepare(server, agents, rows, name)
  const channel = await Channel.connect(server.grpc, sessionCount)
  const startedAt = performance.now()
  let [next, done, retries] = [0, 0, 0]
  const sender = async (): Promise<void> => {
    for (;;) {
      const call = calls.prepared[next]
      next += 1
      if (call === undefined) return
      retries += await sendOnce(channel, call)
      done += 1
      if (done % Math.ceil(calls.prepared.length / 10) === 0)
        say(`${done} of ${calls.prepared.length} calls, ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
    }
  }
  try {
    await Promise.all(Array.from({ length: inFlight }, sender))
  } finally {
    channel.close()
  }
  const seconds = (performance.now() - startedAt) / 1000
  for (const { runId, key } of calls.runs)
    await server.call('HubService/FinishRun', { runId, status: 'completed' }, key)
  return {
    runIds: calls.runs.map(({ runId }) => runId),
    requestIds: calls.prepared.map(({ headers }) => headers['x-request-id'] ?? ''),
    retries,
    seconds,
  }
}

/** Resolves with how often the call had to be repeated; rejects where it was refused. */
async function sendOnce(channel: Channel, call: PreparedCall): Promise<number> {
  const { reply, sentAgain } = await sendUntilAnswered(channel, call)
  const { 'x-request-id': id } = call.headers
  if (reply.status !== '0') throw new Error(`the call ${id ?? ''} ended with gRPC status ${reply.status}`)
  return sentAgain
}

async function prepare(
  server: Reached,
  agents: readonly { readonly key: string }[],
  rows: readonly TraceRow[],
  name: string,
) {
  const runs = new Map<string, { readonly runId: string; readonly key: string }>()
  const prepared: PreparedCall[] = []
  for (const [index, row] of rows.entries()) {
    const agent = agents[index % agents.length]
    if (agent === undefined) throw new Error('no agents')
    const group = `${row.hour} ${index % agents.length}`
    const run = runs.get(group) ?? (await startRun(server, agent.key, row.hour))
    runs.set(group, run)
    const headers = {
      authorization: `Bearer ${agent.key}`,
      'idempotency-key': `${name}-${index}`,
      'x-request-id': `${name}-${index}`,
    }
    prepared.push({ path: attemptPath, headers, message: attempt(run.runId, index, row) })
  }
  return { prepared, runs: [...runs.values()] }
}

async function startRun(
  server: Reached,
  key: string,
  hour: string,
): Promise<{ readonly runId: string; readonly key: string }> {
  const { run } = await server.call('HubService/StartRun', { workflow: 'trace-replay', taskId: hour }, key)
  return { runId: run.id, key }
}

function attempt(runId: string, index: number, { atMs, inputTokens, outputTokens }: TraceRow): Uint8Array {
  const message = create(RecordPromptAttemptRequestSchema, {
    runId,
    attemptNumber: index + 1,
    providerType: 'api',
    provider: 'trace',
    model: 'trace',
    outcome: AttemptOutcome.SUCCESS,
    tokens: { input: BigInt(inputTokens), output: BigInt(outputTokens) },
    createdAt: timestampFromMs(atMs),
  })
  return toBinary(RecordPromptAttemptRequestSchema, message)
}
