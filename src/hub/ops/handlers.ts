import { create, type DescMethodUnary, type DescMessage } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  OpsService,
  RecordIntentOffboxResponseSchema,
  RecordIntentResponseSchema,
  RecordOutcomeResponseSchema,
  type Script,
} from '@portcullis/contract'
import { publicId, refuse, uuidv7, type Json } from '#core'
import { maskText } from '#ledger'
import { Fields } from '../fields.ts'
import { write, type Handler } from '../handler.ts'
import { effect, type Answer, type Effect, type ScriptRecord } from '../ports.ts'

const nameMax = 120
const argsMax = 65
const argCharsMax = 600
const exitCodeMax = 255

type Claimed = Pick<ScriptRecord, 'name' | 'operator' | 'args' | 'destructive' | 'confirmed'>

const intents: readonly Handler[] = [
  intent(OpsService.method.recordIntent, RecordIntentResponseSchema),
  intent(OpsService.method.recordIntentOffbox, RecordIntentOffboxResponseSchema),
]

const recordOutcome = write(
  OpsService.method.recordOutcome,
  (message, { clock }) => {
    const fields = new Fields()
    const announced = message.scriptRunId !== ''
    const id = announced ? fields.id('scriptRunId', message.scriptRunId, 'scr') : uuidv7(clock.now())
    const end = {
      exitCode: fields.integer('exitCode', message.exitCode, 0, exitCodeMax),
      signal: message.signal === '' ? null : fields.text('signal', message.signal, nameMax),
      durationMs: fields.count('durationMs', message.durationMs),
    }
    const args: ScriptRecord = { id, phase: 'outcome', announced, ...claimed(fields, message.script), ...end }
    if (fields.refusal !== undefined) return fields.refusal
    return recorded(args, (recordedAtMs) => ({
      reply: create(RecordOutcomeResponseSchema, {
        scriptRunId: publicId('scr', id),
        recordedAt: timestampFromMs(recordedAtMs),
      }),
    }))
  },
  ({ scriptRunId, script, exitCode, signal, durationMs }) => ({
    durationMs: durationMs.toString(),
    exitCode,
    script: shown(script),
    scriptRunId,
    signal,
  }),
)

/** The two intents differ in what the gate waits for, and in nothing here. */
function intent(
  method: typeof OpsService.method.recordIntent | typeof OpsService.method.recordIntentOffbox,
  output: typeof RecordIntentResponseSchema | typeof RecordIntentOffboxResponseSchema,
): Handler {
  return write<typeof OpsService.method.recordIntent.input, DescMessage>(
    method as DescMethodUnary<typeof OpsService.method.recordIntent.input>,
    (message, { clock }) => {
      const fields = new Fields()
      const id = uuidv7(clock.now())
      const none = { announced: false, exitCode: null, signal: null, durationMs: null }
      const args: ScriptRecord = { id, phase: 'intent', ...claimed(fields, message.script), ...none }
      if (fields.refusal !== undefined) return fields.refusal
      return recorded(args, (recordedAtMs) => ({
        reply: create(output, { scriptRunId: publicId('scr', id), recordedAt: timestampFromMs(recordedAtMs) }),
      }))
    },
    ({ script }) => ({ script: shown(script) }),
  )
}

function recorded(args: ScriptRecord, answer: (recordedAtMs: number) => Answer): Effect {
  return effect({
    operation: 'script.record',
    key: args.id,
    args,
    answer: (row) => {
      if (row === undefined) return refuse('object.not_found', 'no intent under this id for this caller')
      if (row.recordedAtMs === null) return refuse('object.state', 'the run has its outcome already')
      return answer(row.recordedAtMs)
    },
  })
}

function claimed(fields: Fields, script: Script | undefined): Claimed {
  if (script === undefined) fields.wrong('script', 'is required')
  const { name = '', operator = '', args = [], destructive = false, confirmed = false } = script ?? {}
  if (args.length > argsMax) fields.wrong('script.args', `at most ${argsMax} items, not ${args.length}`)
  return {
    name: fields.required('script.name', name, nameMax),
    operator: fields.required('script.operator', operator, nameMax),
    args: args.map((arg) => maskText(fields.text('script.args', arg, argCharsMax))),
    destructive,
    confirmed,
  }
}

function shown(script: Script | undefined): { readonly [key: string]: Json } {
  const { name = '', operator = '', args = [], destructive = false, confirmed = false } = script ?? {}
  return { args, confirmed, destructive, name, operator }
}

export const opsHandlers = [...intents, recordOutcome]
