import { scalarsOf, type ScalarValue } from '../../collect/values/value.ts'
import type { Job, Step, Workflow } from '../../collect/workflows/workflows.ts'
import type { Fix } from '../../evidence.ts'
import { setEntry } from '../../fix/edits.ts'

// They use the token for reading, or none at all.
const readers = new Set([
  'actions/checkout',
  'actions/cache',
  'actions/download-artifact',
  'actions/setup-dotnet',
  'actions/setup-go',
  'actions/setup-java',
  'actions/setup-node',
  'actions/setup-python',
  'actions/upload-artifact',
  'ruby/setup-ruby',
])

/** `permissions: contents: read` for the whole workflow. */
export function readOnly(workflow: Workflow): Fix | undefined {
  const { root, file } = workflow
  const jobs = root.entry('jobs')?.key
  if (jobs === undefined) return undefined
  const { column } = file.place(jobs.start)
  const text = [`permissions:`, `  contents: read`, '', ''].join(file.lineEnd)
  const edits =
    root.flow || column !== 1
      ? setEntry(root, ['permissions', 'contents'], 'read')
      : [{ path: file.path, start: jobs.start, end: jobs.start, text }]
  const description = 'Let the token read the contents of the repository and do nothing else'
  if (onlyReads(workflow)) return { safety: 'safe', description, edits }
  return {
    safety: 'unsafe',
    description,
    risk: 'Steps that write with the token of the run stop working: pushes, releases, packages, comments, deployments, sign-in by OpenID Connect.',
    edits,
  }
}

/**
 * A step has the token if it is given to it or lies on disk. So nothing writes with it where each action is known to only read, no
 * checkout leaves it behind, and nowhere in the file anything takes it.
 */
function onlyReads({ root, jobs }: Workflow): boolean {
  if (jobs.some(({ uses }) => uses !== undefined)) return false
  if (!jobs.every(({ steps }) => steps.every((step) => isReader(step) && !leavesToken(step)))) return false
  return !scalarsOf(root).some(takesToken)
}

/** Whether a job shows that it may write with the token: it hands it on, pushes, or calls what may. */
export function mayWrite({ node, uses, steps }: Job): boolean {
  if (uses !== undefined || !steps.every(isReader)) return true
  return scalarsOf(node).some((value) => takesToken(value) || /\bgit\s+push\b|\bgh\s/.test(value.text))
}

function isReader({ uses }: Step): boolean {
  return uses === undefined || (uses.kind === 'repository' && readers.has(uses.name.toLowerCase()))
}

function leavesToken({ node, uses }: Step): boolean {
  if (uses?.kind !== 'repository' || uses.name.toLowerCase() !== 'actions/checkout') return false
  return node.map('with')?.text('persist-credentials') !== 'false'
}

function takesToken({ text }: ScalarValue): boolean {
  return /github\s*[.[]\s*'?token|github_token|toJSON\s*\(\s*(?:github|secrets)/i.test(text)
}
