import * as z from 'zod'
import { shortName } from './method-names.ts'
import { pad, printable, type Paint } from './print.ts'
import type { Entry } from './replies.ts'

const bodyShape = z.object({
  body: z.object({
    kind: z.string().optional(),
    method: z.string().optional(),
    outcome: z.string().optional(),
    code: z.string().optional(),
    reason: z.string().optional(),
    requestId: z.string().optional(),
    caller: z.object({ id: z.string() }).optional(),
  }),
})

export type EntryBody = z.output<typeof bodyShape>['body']

/** What the line shows of an entry; empty where the entry is of a form this version does not know. */
export function readBody({ entryJson }: Entry): EntryBody {
  try {
    return bodyShape.parse(JSON.parse(entryJson)).body
  } catch (cause) {
    return { reason: `not readable: ${cause instanceof Error ? cause.name : String(cause)}` }
  }
}

/** One entry on one line: time, outcome, code, method, caller, reason. */
export function entryLine(entry: Entry, { dim, green, red, yellow }: Paint): string {
  const body = readBody(entry)
  const outcome = printable(body.outcome ?? '?')
  const colour = { allow: green, deny: yellow, error: red }[outcome] ?? dim
  const time = (entry.ts ?? '').replace('T', ' ').slice(0, 19)
  const cells = [
    dim(pad(printable(time), 19)),
    colour(pad(outcome, 5)),
    pad(printable(body.code ?? '-'), 23),
    pad(printable(nameOf(body)), 32),
    pad(printable(body.caller?.id ?? '-'), 40),
    printable(body.reason ?? ''),
  ]
  return `${cells.join('  ').trimEnd()}\n`
}

/** The method that was decided on; any other event goes by its kind. */
function nameOf({ kind = 'decision', method = '-' }: EntryBody): string {
  return kind === 'decision' ? shortName(method) : kind
}
