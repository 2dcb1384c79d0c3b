import { refuse, type Refusal } from '#core'
import type { AuditDemand, Script, ScriptRecorder } from './ports.ts'

export interface GuardPorts {
  /** Absent where no server is configured. */
  readonly recorder: ScriptRecorder | undefined
  /** One line for the operator. */
  readonly say: (line: string) => void
  /** Milliseconds that never go back. */
  readonly monotonic: () => number
}

export interface ScriptEnd {
  readonly exitCode: number
  /** Such as SIGKILL, where a signal ended it. */
  readonly signal?: string | undefined
}

/**
 * Runs a script behind the guard (SPEC O5): a destructive one only when it was confirmed, its intent recorded before and its
 * outcome after. Under `best_effort` a record that cannot be made is said in one line and stops nothing. What `work` throws is
 * recorded as exit code 1 and thrown on.
 */
export async function runGuarded(
  script: Script,
  demand: AuditDemand,
  { recorder, say, monotonic }: GuardPorts,
  work: () => Promise<ScriptEnd>,
): Promise<ScriptEnd | Refusal> {
  if (script.destructive && !script.confirmed) {
    return refuse('ops.confirmation_required', `${script.name} was not confirmed`)
  }
  let id: string | undefined
  // Said once: where the intent could not be recorded, nobody needs to hear the same of the outcome.
  let said = false
  try {
    if (recorder === undefined) throw new Error('no server is configured: set PORTCULLIS_URL and PORTCULLIS_KEY')
    id = await recorder.intent(script, demand)
  } catch (error) {
    const why = messageOf(error)
    if (demand !== 'best_effort')
      return refuse('audit.unavailable', `intent of ${script.name}: ${why}`, { detail: why })
    say(`not recorded in the ledger: ${why}`)
    said = true
  }
  const begunAt = monotonic()
  const recordOutcome = async ({ exitCode, signal }: ScriptEnd): Promise<void> => {
    try {
      const durationMs = Math.round(monotonic() - begunAt)
      await recorder?.outcome(id, script, { exitCode, signal, durationMs })
    } catch (error) {
      if (!said) say(`its outcome is not recorded in the ledger: ${messageOf(error)}`)
    }
  }
  let end: ScriptEnd
  try {
    end = await work()
  } catch (error) {
    await recordOutcome({ exitCode: 1 })
    throw error
  }
  await recordOutcome(end)
  return end
}

const signalNumbers: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGKILL: 9, SIGTERM: 15 }

/** What a shell would answer: 128 and the number of the signal, where one ended it. */
export function exitCodeOf({ exitCode, signal }: ScriptEnd): number {
  return signal === undefined ? exitCode : 128 + (signalNumbers[signal] ?? 0)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
