import { Command } from 'commander'
import { Client } from '../client.ts'
import { ExitWith } from '../errors.ts'
import type { Io } from '../io.ts'
import { drillShape, drillPage, engagedShape, killPage, releasedShape, watchedShape } from '../kill-replies.ts'
import type { Drill, Kill } from '../kill-replies.ts'
import { parseKillScope, scopeMessage, scopeWords, type ScopeText } from '../kill-scope.ts'
import { printList, type List } from '../lists.ts'
import { withClient, withExamples, withList, type ClientOptions, type ListOptions } from '../options.ts'
import { printable, relativeTime } from '../print.ts'
import { collect, integerBetween, parseExpiry } from '../values.ts'

const list: List<Kill> = {
  name: 'kills',
  method: 'KillService/List',
  shape: killPage,
  head: ['ID', 'STOPS', 'SINCE', 'STATE', 'RUNS', 'RESERVATIONS', 'REASON'],
  cells: (kill, nowMs) => [
    kill.id,
    scopeWords(kill.scope),
    relativeTime(kill.engagedAt, nowMs),
    stateOf(kill, nowMs),
    String(kill.runsCancelled),
    String(kill.reservationsSettled),
    kill.reason,
  ],
  none: 'There are no kill switches.',
}

const drills: List<Drill> = {
  name: 'drills',
  method: 'KillService/ListDrills',
  shape: drillPage,
  head: ['ID', 'WHEN', 'DENY P50', 'DENY P99', 'CANCEL P50', 'CANCEL P99', 'PROBES', 'REPLICAS'],
  cells: (drill, nowMs) => [
    drill.id,
    relativeTime(drill.createdAt, nowMs),
    ...[drill.denyP50Us, drill.denyP99Us, drill.cancelP50Us, drill.cancelP99Us].map(milliseconds),
    String(drill.probes),
    String(drill.replicas),
  ],
  none: 'No drill was recorded yet.',
}

interface EngageOptions extends ClientOptions {
  readonly scope: ScopeText
  readonly reason: string
  readonly expires?: string
}

interface DrillOptions extends ClientOptions {
  readonly agent?: string
  readonly target: readonly string[]
  readonly rounds: number
  readonly probes: number
}

export function killCommand(io: Io): Command {
  return new Command('kill')
    .description('The kill switch: stops what is in a scope, everywhere, until it is released.')
    .addCommand(engageCommand(io))
    .addCommand(releaseCommand(io))
    .addCommand(listCommand(io))
    .addCommand(watchCommand(io))
    .addCommand(drillCommand(io))
    .addCommand(drillsCommand(io))
}

function engageCommand(io: Io): Command {
  const command = withClient(new Command('engage'))
    .description('Engages a kill switch. Answers when no replica lets anything in its scope in any more.')
    .requiredOption(
      '--scope <scope>',
      'everything, tenant, agent:NAME, key:ID, model:NAME, tool:NAME, job:KIND',
      parseKillScope,
    )
    .requiredOption('--reason <text>', 'why; kept in the ledger')
    .option('--expires <when>', '30m, 12h, or a time such as 2027-01-31T00:00:00Z (default: until released)', (text) =>
      parseExpiry(text, io.now()),
    )
    .action(async ({ scope, reason, expires: expiresAt, ...options }: EngageOptions) => {
      const client = new Client(options, io)
      const message = { scope: await scopeMessage(client, scope), reason, expiresAt }
      const reply = await client.call('KillService/Engage', message, engagedShape)
      const { kill, replicas, replicasAcknowledged, tookMs } = reply
      if (options.json) io.out.write(`${JSON.stringify(reply)}\n`)
      else {
        const late = replicas - replicasAcknowledged
        const rest = late > 0 ? ` ${late} did not answer: what they know is too old, and they let nobody in.` : ''
        io.out.write(
          `${printable(kill.id)}: ${printable(scopeWords(kill.scope))} is stopped. ${replicasAcknowledged} of ${replicas} replicas said so within ${tookMs} ms.${rest}\n`,
        )
      }
    })
  return withExamples(
    command,
    'portcullis kill engage --scope agent:researcher --reason "sends mail in a loop"',
    'portcullis kill engage --scope model:gpt-5 --reason "provider incident" --expires 2h',
  )
}

function releaseCommand(io: Io): Command {
  const command = withClient(new Command('release'))
    .description('Releases a kill switch. Runs that it has cancelled stay so.')
    .argument('<id>', 'kil_…, as `portcullis kill list` shows it')
    .option('--reason <text>', 'why; kept in the ledger', '')
    .action(async (killId: string, { reason, ...options }: ClientOptions & { readonly reason: string }) => {
      const { kill } = await new Client(options, io).call('KillService/Release', { killId, reason }, releasedShape)
      if (options.json) io.out.write(`${JSON.stringify(kill)}\n`)
      else io.out.write(`${printable(kill.id)}: ${printable(scopeWords(kill.scope))} is no longer stopped by it.\n`)
    })
  return withExamples(command, 'portcullis kill release kil_0199a3c2-7b1e-7d42-9c55-0f8e2a6b4d10 --reason "fixed"')
}

function listCommand(io: Io): Command {
  const command = withList(new Command('list'))
    .description('Lists the kill switches, newest first, with what was ended because of them.')
    .option('--engaged', 'only those in force')
    .action((options: ListOptions & { readonly engaged?: boolean }) =>
      printList(list, options.engaged ? { engagedOnly: true } : {}, options, io),
    )
  return withExamples(command, 'portcullis kill list --engaged')
}

function watchCommand(io: Io): Command {
  const command = withClient(new Command('watch'))
    .description('Shows what is engaged, and then each change as it happens, until it is interrupted.')
    .action(async (options: ClientOptions) => {
      const over = new AbortController()
      io.onSignal(() => over.abort())
      const client = new Client(options, io)
      for await (const said of client.stream('KillService/Watch', {}, watchedShape, over.signal)) {
        const { kill, engaged, heartbeat } = said
        if (options.json) io.out.write(`${JSON.stringify(said)}\n`)
        else if (kill !== undefined && !heartbeat) {
          const why = kill.reason === '' ? '' : `: ${printable(kill.reason)}`
          io.out.write(
            `${engaged ? 'engaged' : 'over'}  ${printable(kill.id)}  ${printable(scopeWords(kill.scope))}${why}\n`,
          )
        }
      }
    })
  return withExamples(command, 'portcullis kill watch --json')
}

function drillCommand(io: Io): Command {
  const command = withClient(new Command('drill'))
    .description(
      'Measures the kill switch: stops an agent made for it, and takes the time until every replica refuses it and tells it so. Records what it measured. Exit code 1 where it took too long, or let somebody in.',
    )
    .option('--agent <agent>', 'use this agent, by id or name, with new keys (default: one made for the drill)')
    .option('--target <url>', 'a replica to ask; repeat it for more (default: the server itself)', collect, [])
    .option('--rounds <n>', 'how often it is engaged and released', integerBetween(1, 100), 5)
    .option('--probes <n>', 'callers for each replica', integerBetween(1, 64), 4)
    .action(async ({ agent, target, rounds, probes, ...options }: DrillOptions) => {
      const { runDrill } = await import('../kill-drill.ts')
      const measured = await runDrill({ agent, targets: target, rounds, probes, options }, io)
      const { drill } = await new Client(options, io).call(
        'KillService/RecordDrill',
        { drill: measured.drill },
        recorded,
      )
      if (options.json)
        io.out.write(`${JSON.stringify({ ...drill, admittedAfter: measured.admittedAfter, ok: measured.ok })}\n`)
      else io.out.write(drillText(drill, measured.admittedAfter, measured.ok))
      if (!measured.ok) throw new ExitWith(1)
    })
  return withExamples(
    command,
    'portcullis kill drill',
    'portcullis kill drill --target http://10.0.0.1:8080 --target http://10.0.0.2:8080',
  )
}

const recorded = releasedShape.omit({ kill: true }).extend({ drill: drillShape })

function drillsCommand(io: Io): Command {
  const command = withList(new Command('drills'))
    .description('Lists what drills have measured, newest first.')
    .action((options: ListOptions) => printList(drills, {}, options, io))
  return withExamples(command, 'portcullis kill drills')
}

function drillText(drill: Drill, admittedAfter: number, ok: boolean): string {
  const lines = [
    `time to deny    p50 ${milliseconds(drill.denyP50Us)}  p99 ${milliseconds(drill.denyP99Us)}`,
    `time to cancel  p50 ${milliseconds(drill.cancelP50Us)}  p99 ${milliseconds(drill.cancelP99Us)}`,
    `${drill.probes} probes at ${drill.replicas} ${drill.replicas === 1 ? 'replica' : 'replicas'}, recorded as ${printable(drill.id)}`,
    ...(admittedAfter > 0 ? [`${admittedAfter} calls were let in after engage had answered`] : []),
    ok ? 'The drill holds: p99 is below 250 ms, and nobody was let in afterwards.' : 'The drill FAILED.',
  ]
  return `${lines.join('\n')}\n`
}

function milliseconds(us: number): string {
  return `${(us / 1000).toFixed(1)} ms`
}

function stateOf({ releasedAt, expiresAt }: Kill, nowMs: number): string {
  if (releasedAt !== null) return `released ${relativeTime(releasedAt, nowMs)}`
  if (expiresAt === null) return 'engaged'
  return `${Date.parse(expiresAt) <= nowMs ? 'ended' : 'ends'} ${relativeTime(expiresAt, nowMs)}`
}
