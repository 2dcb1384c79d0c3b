import { expressionsIn } from '../../collect/workflows/expressions.ts'
import { flowsOf } from '../../collect/workflows/expression-flow.ts'
import { scriptOf, type ShellCommand } from '../../collect/shell/script.ts'
import type { MapValue, ScalarValue } from '../../collect/values/value.ts'
import type { Job, Step, Workflow } from '../../collect/workflows/workflows.ts'
import { doubtful, failing, type Evidence } from '../../evidence.ts'

const printers = new Set(['echo', 'printf', 'print'])
const readers = new Set(['cat', 'head', 'tail', 'less', 'more'])
// They change the text, so that the masking of the log does not recognise it any more.
const changing = new Set(['base64', 'rev', 'xxd', 'od', 'hexdump', 'tr', 'sed', 'cut', 'fold', 'openssl', 'gzip'])
const showing = new Set(['cat', 'tee', 'head', 'tail', 'less', 'more', 'sort', 'uniq', 'nl', ...changing])

/** Steps of a workflow that write a secret into their log. */
export function printedSecrets({ root, jobs }: Workflow): readonly Evidence[] {
  const global = secretNames(root.map('env'))
  return jobs.flatMap((job) => {
    const known = new Set([...global, ...secretNames(job.node.map('env'))])
    return job.steps.flatMap((step) => printedIn(step, job, known))
  })
}

function printedIn({ node, run }: Step, job: Job, around: ReadonlySet<string>): readonly Evidence[] {
  if (run === undefined || !speaksShell(node, job)) return []
  const secret = new Set([...around, ...secretNames(node.map('env'))])
  if (secret.size === 0 && !run.text.includes('secrets')) return []
  const script = scriptOf(run)
  // What a command makes of a secret is something else.
  const holds = (value: string): boolean => !/\$\(|`/.test(value) && holdsSecret(value)
  for (const [name, values] of script.assigned) if (values.some(holds)) secret.add(name)
  return script.commands.flatMap((command) => evidenceOf(command, run, secret) ?? [])
}

function evidenceOf(command: ShellCommand, run: ScalarValue, secret: ReadonlySet<string>): Evidence | undefined {
  const { name, words, hereDocuments, output, pipedTo } = command
  const spot = run.inside(command.start, command.end)
  const subject = `${name} ${run.text.slice(command.start, command.end)}`
  if (printers.has(name) || readers.has(name)) {
    const printed = [...words.slice(1), ...hereDocuments].find(
      (word) => holdsSecret(word.text) || word.variables.some((each) => secret.has(each)),
    )
    if (printed === undefined || printed.text.startsWith('::add-mask::')) return undefined
    // What they are given is the name of a file, but for a here-document.
    if (readers.has(name) && !printed.text.includes('\n')) return undefined
    const visible = output === 'log' || (output === 'pipe' && pipedTo.every((each) => showing.has(each)))
    if (!visible) return undefined
    if (pipedTo.some((each) => changing.has(each)))
      return failing(spot, 'It prints a secret in another form, which the masking of the log does not recognise.', {
        subject,
      })
    return failing(spot, 'It prints a secret: the log is safe only as long as it is masked letter by letter.', {
      subject,
      confidence: 'medium',
    })
  }
  if (secret.size === 0 || (output !== 'log' && output !== 'pipe')) return undefined
  if (output === 'pipe' && !pipedTo.every((each) => showing.has(each))) return undefined
  const dumps =
    (name === 'printenv' && (words.length === 1 || words.slice(1).some(({ text }) => secret.has(text)))) ||
    (name === 'env' && words.length === 1) ||
    (name === 'export' && words[1]?.text === '-p')
  if (dumps) {
    const named = words.length > 1 && name === 'printenv'
    if (named) return failing(spot, 'It prints a variable that holds a secret.', { subject, confidence: 'medium' })
    return doubtful(spot, 'It prints the whole environment, which holds a secret.', { subject, confidence: 'low' })
  }
  const traced = name === 'set' && words.slice(1).some(({ text }) => /^-[a-z]*x/.test(text) || text === 'xtrace')
  return traced
    ? doubtful(spot, 'It writes every command with its values into the log, and a secret is among the variables.', {
        subject,
        confidence: 'low',
      })
    : undefined
}

// The default is bash, or PowerShell on Windows; what another program runs is not read.
function speaksShell(step: MapValue, job: Job): boolean {
  const shell = step.text('shell')
  if (shell !== undefined) return /^(?:ba|da|z)?sh\b/.test(shell)
  return !/windows/i.test(job.node.text('runs-on') ?? '')
}

function secretNames(env: MapValue | undefined): readonly string[] {
  return (env?.entries ?? []).flatMap(({ key, value }) =>
    value.kind === 'scalar' && holdsSecret(value.text) ? [key.text] : [],
  )
}

/** An expression of the text gives a secret: not the answer to a comparison with one. */
function holdsSecret(text: string): boolean {
  if (!text.includes('${{')) return false
  return expressionsIn(text).some(({ expression }) =>
    (expression === undefined ? [] : flowsOf(expression)).some((flow) => {
      if (flow.kind !== 'context') return false
      const [first, second] = flow.context.path
      return first === 'secrets' || (first === 'github' && second === 'token')
    }),
  )
}
