import type { AskedTrace, KnownTrace, TracePort } from '#hub'
import { Connection, type ConnectionSettings, type Statement } from './connection.ts'
import { byteaText } from './operations/statement.ts'
import { causeOf, sendAll } from './pipeline.ts'

const insertText = `insert into portcullis.ingested_traces (tenant_id, owner, trace_id, run_id)
  select (select portcullis.tenant()), $1::uuid, m.trace, m.run from json_to_recordset($2::json) as m(trace bytea, run uuid)
   order by m.trace
  on conflict do nothing`

// A statement of its own behind the insert: its snapshot sees what others have committed meanwhile.
const lookText = `select encode(m.trace, 'hex') as trace, t.run_id as run,
    exists (select from portcullis.runs r where r.tenant_id = (select portcullis.tenant()) and r.id = t.run_id) as started
  from json_to_recordset($2::json) as m(trace bytea)
  cross join lateral (
    select run_id from portcullis.ingested_traces t
     where t.tenant_id = (select portcullis.tenant()) and t.owner = $1::uuid and t.trace_id = m.trace limit 1) t`

const recordedText = `select encode(m.trace, 'hex') as trace, encode(m.span, 'hex') as span
  from json_to_recordset($2::json) as m(trace bytea, span bytea)
  cross join lateral (
    select from portcullis.ingested_spans s
     where s.tenant_id = (select portcullis.tenant()) and s.owner = $1::uuid and s.trace_id = m.trace and s.span_id = m.span limit 1) s`

/** The runs of traces, on a connection of its own: each question is one short transaction (SPEC H13). */
export class TraceRuns implements TracePort {
  readonly #connection: Connection

  constructor(settings: ConnectionSettings) {
    this.#connection = new Connection(settings, 'trace runs')
  }

  async runsOf(
    { tenantId, owner }: Parameters<TracePort['runsOf']>[0],
    asked: readonly AskedTrace[],
  ): Promise<ReadonlyMap<string, KnownTrace>> {
    const traces = asked.map(({ traceId, newRunId }) => ({ trace: byteaText(traceId), run: newRunId }))
    const made = traces.filter(({ run }) => run !== undefined)
    const spans = asked.flatMap(({ traceId, spanIds }) =>
      spanIds.map((span) => ({ trace: byteaText(traceId), span: byteaText(span) })),
    )
    const statement = (name: string, text: string, rows: readonly object[]): Statement => ({
      name,
      text,
      values: [owner, JSON.stringify(rows)],
    })
    const identity = {
      name: 'tenant.set',
      text: `select set_config('portcullis.tenant', $1, true)`,
      values: [tenantId],
    }
    const client = await this.#connection.client()
    // One transaction: it ends with the Sync behind the last of them.
    const answers = await sendAll(client, [
      identity,
      ...(made.length === 0 ? [] : [statement('traces.keep', insertText, made)]),
      statement('traces.look', lookText, traces),
      statement('traces.recorded', recordedText, spans),
    ]).catch((error: unknown) => {
      throw new Error('which runs the traces are could not be asked', { cause: causeOf(error) })
    })
    const [rows, recordedRows] = answers.slice(-2).map((answer) => answer.rows)
    const recorded = new Map<string, Set<string>>()
    for (const { trace, span } of (recordedRows ?? []) as { trace: string; span: string }[]) {
      const known = recorded.get(trace)
      if (known === undefined) recorded.set(trace, new Set([span]))
      else known.add(span)
    }
    return new Map(
      ((rows ?? []) as { trace: string; run: string; started: boolean }[]).map(({ trace, run, started }) => [
        trace,
        { runId: run, started, recorded: recorded.get(trace) ?? new Set<string>() },
      ]),
    )
  }

  close(): Promise<void> {
    return this.#connection.close()
  }
}
