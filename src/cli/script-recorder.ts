import * as z from 'zod'
import type { ScriptRecorder } from '#guard'
import { Client } from './client.ts'
import type { Io } from './io.ts'
import type { ClientOptions } from './options.ts'

const answerWithinMs = 5000
// An intent is answered once a sink holds it, which may take as long by itself.
const offboxWithinMs = 10_000
const recordedShape = z.object({ scriptRunId: z.string().min(1) })

/** Records runs of scripts through the API. */
export function scriptRecorder(options: ClientOptions, io: Io): ScriptRecorder {
  return {
    intent: async (script, demand) => {
      const offbox = demand === 'required_offbox'
      const client = new Client(options, io, offbox ? offboxWithinMs : answerWithinMs)
      const method = offbox ? 'OpsService/RecordIntentOffbox' : 'OpsService/RecordIntent'
      return (await client.call(method, { script }, recordedShape)).scriptRunId
    },
    outcome: async (id, script, { exitCode, signal, durationMs }) => {
      const message = { scriptRunId: id ?? '', script, exitCode, signal: signal ?? '', durationMs: String(durationMs) }
      await new Client(options, io, answerWithinMs).call('OpsService/RecordOutcome', message, recordedShape)
    },
  }
}
