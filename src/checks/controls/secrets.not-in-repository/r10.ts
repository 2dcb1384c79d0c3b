import { problemsOf, repoCheck } from '../../check.ts'
import { composes } from '../../collect/containers/composes.ts'
import { dockerfiles } from '../../collect/containers/dockerfiles.ts'
import { kubernetes } from '../../collect/containers/kubernetes.ts'
import { envFiles, type EnvFile } from '../../collect/config/env-files.ts'
import { secretFindings, type SecretFinding } from '../../collect/secret-findings.ts'
import { isReadable, type Parsed } from '../../collect/source-file.ts'
import { isTestPath } from '../../collect/sources/source.ts'
import { sources } from '../../collect/sources/sources.ts'
import { actions, workflows } from '../../collect/workflows/workflows.ts'
import { doubtful, failing, stated, unjudged, type Evidence } from '../../evidence.ts'
import { markOf } from '../masked.ts'
import { ofCompose, ofDockerfile, ofManifests } from './given-secrets.ts'
import { secretLiterals } from './secret-literals.ts'
import { isRandom, kindOfName, kindOfValue } from './secret-names.ts'
import { printedSecrets } from './workflow-prints.ts'
import { workflowVariables } from './workflow-variables.ts'

export const r10 = repoCheck({
  id: 'R10',
  title: 'No secret is in the tree, in a default or in a log',
  needs: { secretFindings, sources, envFiles, workflows, actions, composes, kubernetes, dockerfiles },
  judge: (facts) => {
    const { secretFindings: searched, workflows: flows, actions: own } = facts
    if (searched.searched === 0) return [stated('repo', 'NOT_APPLICABLE', 'There is no text file.')]
    const unread = new Set(searched.unread.map(({ file }) => file.path))
    const judgeAll = <T>(files: readonly Parsed<T>[], judge: (value: T) => readonly Evidence[]): readonly Evidence[] =>
      files.flatMap((each) =>
        isReadable(each) ? judge(each.value) : unread.has(each.file.path) ? [] : problemsOf(each),
      )
    const named = [
      ...facts.sources.files.flatMap(secretLiterals),
      ...facts.envFiles.flatMap((parsed) => (isReadable(parsed) ? committed(parsed.value) : [])),
      ...judgeAll(facts.composes, ofCompose),
      ...judgeAll(facts.kubernetes.manifests, ofManifests),
      ...judgeAll(facts.dockerfiles, ofDockerfile),
      ...flows.flatMap((parsed) => (isReadable(parsed) ? workflowVariables(parsed.value) : [])),
      ...own.flatMap((parsed) => (isReadable(parsed) ? workflowVariables(parsed.value) : [])),
    ]
    const formed = searched.found.flatMap(known)
    return [
      ...formed,
      ...named.filter((each) => !formed.some((other) => saysMore(other, each))),
      ...flows.flatMap((parsed) => (isReadable(parsed) ? printedSecrets(parsed.value) : problemsOf(parsed))),
      ...searched.unread.map(({ file, why }) => {
        const say = `It was not searched for secrets. ${why}`
        const details = { subject: why, confidence: 'low' } as const
        // In tests a file of bytes that are no text is made on purpose.
        return isTestPath(file.path)
          ? doubtful({ file, start: 0, end: 0 }, say, details)
          : unjudged('UNKNOWN', { file, start: 0, end: 0 }, say, { subject: why })
      }),
    ]
  },
})

// One text is one finding: its form tells more than its name.
function saysMore(form: Evidence, name: Evidence): boolean {
  return (
    form.outcome === 'FAIL' &&
    form.path === name.path &&
    isBefore(form.line, form.column, name.endLine, name.endColumn) &&
    isBefore(name.line, name.column, form.endLine, form.endColumn)
  )
}

function isBefore(line = 0, column = 0, otherLine = 0, otherColumn = 0): boolean {
  return line < otherLine || (line === otherLine && column < otherColumn)
}

// Kinds that are addresses or keys made for a purpose: those of tests and of documents are examples.
const oftenExamples = new Set('BasicAuth PostgreSQLConnection MySQLConnection MongoDBConnection PrivateKey'.split(' '))

function known({ spot, kind }: SecretFinding): readonly Evidence[] {
  const { path, text } = spot.file
  const value = text.slice(spot.start, spot.end)
  const details = { subject: `${kind} ${markOf(value)}` }
  const what = kind.replaceAll('_', ' ').replaceAll(/([a-z0-9]|[A-Z](?=[A-Z][a-z]))([A-Z][a-z])/g, '$1 $2')
  const example = isTestPath(path) || /\.(?:md|mdx|rst|adoc|txt)$/i.test(path) || /(?:^|\/)docs?\//i.test(path)
  const local = kind !== 'PrivateKey' && /@(?:localhost|127\.0\.0\.1|\[::1\])[:/?]?/.test(value)
  if (!oftenExamples.has(kind) || !(example || local || /\.(?:example|sample|template|dist)$/i.test(path)))
    return [failing(spot, `It has the form of a secret (${what}).`, details)]
  // A password that somebody made up for an example opens nothing.
  const [, password] = /:\/\/[^:/\s]{0,256}:([^@\s]{1,256})@/.exec(value) ?? []
  if (password !== undefined && !isRandom(password)) return []
  const detail = `It has the form of a secret (${what}), where examples stand.`
  return [doubtful(spot, detail, { ...details, confidence: 'low' })]
}

function committed({ file, template, entries }: EnvFile): readonly Evidence[] {
  if (template) return []
  const secrets = entries.flatMap(({ name, value, spot }): readonly Evidence[] => {
    if (kindOfName(name) === undefined || kindOfValue(name, value) === 'reference') return []
    const subject = `${name} ${markOf(value)}`
    const test = isTestPath(file.path) || /\.(?:test|ci|testing|e2e)$/i.test(file.path)
    if (!test) return [failing(spot, `A file of variables is in the tree, and ${name} is set in it.`, { subject })]
    return isRandom(value)
      ? [doubtful(spot, `${name} is set in a file of variables for tests.`, { subject, confidence: 'low' })]
      : []
  })
  if (secrets.length > 0 || entries.length === 0 || isTestPath(file.path)) return secrets
  if (!/(?:^|\/)\.env(?:\.(?:local|prod(?:uction)?|staging|live))?$/i.test(file.path)) return []
  const spot = { file, start: 0, end: 0 }
  return [
    doubtful(spot, 'A file of variables is in the tree: the next secret that is put into it is published.', {
      subject: 'env file in the tree',
      confidence: 'medium',
    }),
  ]
}
