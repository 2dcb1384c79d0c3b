import { contextsIn } from '../../collect/workflows/expression-flow.ts'
import { expressionsIn } from '../../collect/workflows/expressions.ts'
import type { Spot } from '../../collect/source-file.ts'
import { scalarsOf, type MapValue, type ScalarValue } from '../../collect/values/value.ts'
import type { Workflow } from '../../collect/workflows/workflows.ts'
import type { Fix } from '../../evidence.ts'

/**
 * `inherit` replaced by the secrets that the called workflow declares and uses. There is none where it uses one that it does not
 * declare (GitHub refuses to pass it), where it passes on all of its own, and where a job has an environment: whose secrets come
 * with `inherit` alone.
 */
export function namedSecrets(job: MapValue, inherit: ScalarValue, called: Workflow): Fix | undefined {
  if (job.flow) return undefined
  const declared = called.triggers.find(({ name }) => name === 'workflow_call')?.settings?.map('secrets')
  const used = usedBy(called)
  if (used === undefined || called.jobs.some(({ node }) => node.get('environment') !== undefined)) return undefined
  const names = (declared?.entries ?? []).map(({ key }) => key.text)
  const lower = new Set(names.map((name) => name.toLowerCase()))
  if (![...used].every((name) => lower.has(name))) return undefined
  const { file } = inherit
  const indent = ' '.repeat(file.place(job.start).column + 1)
  const lines = names.map((name) => `${file.lineEnd}${indent}${name}: \${{ secrets.${name} }}`)
  const { key, alias } = job.entry('secrets') ?? {}
  // What a merge key brings stands elsewhere.
  if (key === undefined || key.start < job.start || key.start > job.end) return undefined
  if (names.some((name) => !/^\w+$/.test(name))) return undefined
  // An anchor or a tag of the word would be one of the map.
  if (alias === undefined && !/^[ \t]*:[ \t]*$/.test(file.text.slice(key.end, inherit.start))) return undefined
  // What an anchor has may stand elsewhere, and mean something else there.
  const here = alias ?? inherit
  const edit =
    names.length > 0 ? { start: spaceBefore(here), text: lines.join('') } : { start: key.start, text: 'secrets: {}' }
  return {
    safety: 'safe',
    description: names.length > 0 ? `Pass on ${names.join(', ')} alone` : 'Pass on no secret: none is used there',
    edits: [{ path: file.path, start: edit.start, end: here.end, text: edit.text }],
  }
}

const known = new WeakMap<Workflow, ReadonlySet<string> | 'unclear'>()

function usedBy(workflow: Workflow): ReadonlySet<string> | undefined {
  const used = known.get(workflow) ?? secretsOf(workflow) ?? 'unclear'
  known.set(workflow, used)
  return used === 'unclear' ? undefined : used
}

function secretsOf(workflow: Workflow): ReadonlySet<string> | undefined {
  if (workflow.jobs.some(({ node }) => node.text('secrets') === 'inherit')) return undefined
  const names = new Set<string>()
  for (const { text } of scalarsOf(workflow.root)) {
    if (!/secrets/i.test(text)) continue
    for (const { expression } of expressionsIn(text)) {
      for (const { path } of expression === undefined ? [] : contextsIn(expression)) {
        if (path[0] !== 'secrets') continue
        const [, name] = path
        if (name === undefined || name === '*' || name === '?') return undefined
        // It is passed on by GitHub itself.
        if (name !== 'github_token') names.add(name)
      }
    }
  }
  return names
}

function spaceBefore({ file, start }: Spot): number {
  return file.text[start - 1] === ' ' ? start - 1 : start
}
