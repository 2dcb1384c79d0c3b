import { Random } from './random.ts'
import { planRun, type PlannedRun } from './plan-run.ts'
import { conversationTrace } from './quantiles.ts'
import { allWorkflows, roles, type Model } from './roles.ts'

/** A day of five agents: what is called when. The same seed gives the same day. Times are milliseconds since its midnight. */
export interface Day {
  readonly tasks: readonly PlannedTask[]
  /** Sorted by time. */
  readonly stories: readonly Story[]
  /** Calls that the day makes when nothing has to be sent again. */
  readonly calls: number
}

/** What one agent does in order, each call after the one before it. Agents are given as an index into `roles`. */
export type Story = PlannedRun | Closing | Benchmarks | Search | Denied

export interface PlannedTask {
  readonly agent: number
  readonly title: string
}

/** Near the end of the day: the task is done, and what came of it is noted. */
export interface Closing {
  readonly kind: 'closing'
  readonly atMs: number
  readonly agent: number
  readonly task: number
  readonly completed: boolean
  readonly note: string
}

export interface Benchmarks {
  readonly kind: 'benchmarks'
  readonly atMs: number
  readonly agent: number
  readonly rows: readonly BenchmarkRow[]
}

export interface BenchmarkRow {
  readonly workflow: string
  readonly model: Model
  readonly input: number
  readonly output: number
  readonly latencyMs: number
  readonly qualityMilli: number
}

/** A call of a tool that costs money: held before, settled after. The budget has room for most of them. */
export interface Search {
  readonly kind: 'search'
  readonly atMs: number
  readonly agent: number
}

/** What an agent tries and may not do, or not so fast. */
export interface Denied {
  readonly kind: 'bad_scope' | 'unknown_key' | 'burst'
  readonly atMs: number
  readonly agent: number
}

export const dayMs = 86_400_000
export const burstCalls = 16
export const searches = 40
// Relative load of each hour: little at night, two peaks around lunch.
const hours = [2, 1, 1, 1, 1, 2, 4, 8, 14, 20, 23, 22, 16, 19, 23, 22, 19, 14, 9, 6, 5, 4, 3, 2]
const denials: readonly (readonly [kind: Denied['kind'], count: number])[] = [
  ['bad_scope', 6],
  ['unknown_key', 4],
  ['burst', 2],
]

export function planDay(seed: number, runs: number): Day {
  const random = new Random(seed)
  const tasks = roles.flatMap(({ tasks: titles }, agent) => titles.map((title) => ({ agent, title })))
  const planned = arrivals(random, runs).map((atMs) => {
    const agent = agentFor(random.next())
    return planRun(random, atMs, agent, taskFor(random, tasks, agent))
  })
  const closings = tasks.map((task, index) => closing(random, task, index))
  const benchmarks = roles.map((_, agent) => planBenchmarks(random, agent))
  const denied = denials.flatMap(([kind, count]) => Array.from({ length: count }, () => planDenied(random, kind)))
  const searching = Array.from({ length: searches }, () => planSearch(random))
  const stories = [...planned, ...closings, ...benchmarks, ...denied, ...searching].toSorted((a, b) => a.atMs - b.atMs)
  return {
    tasks,
    stories,
    calls: allWorkflows.length + tasks.length + stories.reduce((sum, story) => sum + callsOf(story), 0),
  }
}

export function callsOf(story: Story): number {
  switch (story.kind) {
    case 'run':
      return story.steps.length + 2 + (story.reused ? 1 : 0)
    case 'closing':
    case 'search':
      return 2
    case 'burst':
      return burstCalls
    case 'benchmarks':
    case 'bad_scope':
    case 'unknown_key':
      return 1
    default:
      return story satisfies never
  }
}

/**
 * When runs begin, ascending. Their gaps are those of the conversation trace (the other one has a single pause of 6 % of its
 * length, which would be a hole of more than an hour), stretched over the day and dense where its hours are busy.
 */
export function arrivals(random: Random, count: number): readonly number[] {
  const gaps = Array.from({ length: count + 1 }, () => random.sample(conversationTrace.gapMs))
  const total = gaps.reduce((sum, gap) => sum + gap, 0)
  let passed = 0
  return gaps.slice(0, count).map((gap) => {
    passed += gap
    return Math.floor(timeAt(passed / total))
  })
}

/** The time of the day by which that share of its work has come. */
function timeAt(share: number): number {
  const total = hours.reduce((sum, load) => sum + load, 0)
  let left = share * total
  for (const [hour, load] of hours.entries()) {
    if (left <= load) return ((hour + left / load) * dayMs) / 24
    left -= load
  }
  return dayMs - 1
}

function agentFor(level: number): number {
  let left = level
  for (const [agent, { share }] of roles.entries()) {
    if (left < share) return agent
    left -= share
  }
  return roles.length - 1
}

function taskFor(random: Random, tasks: readonly PlannedTask[], agent: number): number {
  const first = tasks.findIndex((task) => task.agent === agent)
  return first + random.integer(0, tasks.filter((task) => task.agent === agent).length - 1)
}

function closing(random: Random, { agent }: PlannedTask, task: number): Closing {
  const atMs = timeAt(0.9 + 0.09 * random.next())
  return { kind: 'closing', atMs, agent, task, completed: random.chance(0.7), note: roles[agent]?.note ?? '' }
}

function planBenchmarks(random: Random, agent: number): Benchmarks {
  const { workflows, models, trace } = roles[agent] ?? roles[0]
  const rows = workflows.flatMap((workflow) =>
    models.map((model) => ({
      workflow,
      model,
      input: Math.round(random.sample(trace.contextTokens)),
      output: Math.round(random.sample(trace.generatedTokens)),
      latencyMs: random.integer(400, 9000),
      qualityMilli: random.integer(550, 980),
    })),
  )
  return { kind: 'benchmarks', atMs: timeAt(0.97 + 0.02 * random.next()), agent, rows }
}

function planSearch(random: Random): Search {
  return { kind: 'search', atMs: timeAt(random.next()), agent: random.integer(0, roles.length - 1) }
}

function planDenied(random: Random, kind: Denied['kind']): Denied {
  return { kind, atMs: timeAt(random.next()), agent: random.integer(0, roles.length - 1) }
}
