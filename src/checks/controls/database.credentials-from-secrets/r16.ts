import { problemsOf, repoCheck } from '../../check.ts'
import { composes, pathBeside, type Service } from '../../collect/containers/composes.ts'
import { mapAt, pairsOf } from '../../collect/containers/compose-merge.ts'
import { envEntries } from '../../collect/config/env-files.ts'
import { kubernetes, type Container, type KubernetesObject } from '../../collect/containers/kubernetes.ts'
import { isReadable, type Parsed, type SourceFile, type Spot } from '../../collect/source-file.ts'
import { collect, type Collector } from '../../collect/collector.ts'
import { listed, texts, type ScalarValue, type Value } from '../../collect/values/value.ts'
import { doubtful, failing, type Evidence } from '../../evidence.ts'
import { eachContainer } from '../each-container.ts'
import { isDatabase } from '../known-images.ts'
import { markOf } from '../masked.ts'
import { claimOf, passwordIn } from './credential.ts'

/** The files that compose files name, by path: where they are in the tree, they are committed. */
const named: Collector<'repo', ReadonlyMap<string, Parsed<SourceFile>>> = async (tree) => {
  const files = new Map(tree.files.map((found) => [found.path, found]))
  const paths = (await collect(composes, tree)).flatMap((parsed) => (isReadable(parsed) ? namedBy(parsed.value) : []))
  const found = [...new Set(paths)].flatMap((path) => files.get(path) ?? [])
  return new Map(await Promise.all(found.map(async (each) => [each.path, await tree.read(each)] as const)))
}

type Named = ReadonlyMap<string, Parsed<SourceFile>>

export const r16 = repoCheck({
  id: 'R16',
  title: 'Database credentials come from secrets',
  needs: { composes, kubernetes, named },
  judge: ({ composes: projects, kubernetes: manifests, named: files }) =>
    eachContainer(projects, manifests, {
      service: (each) => service(each, files),
      container,
      object,
    }),
})

function namedBy({ root, services, ...compose }: Service['compose']): readonly string[] {
  const own = services.flatMap(({ settings }) => envFilesOf(settings.get('env_file')))
  const secrets = root.map('secrets')?.entries ?? []
  const files = secrets.flatMap(({ value }) => (value.kind === 'map' ? (value.scalar('file') ?? []) : []))
  return [...own, ...files].flatMap((scalar) => pathBeside(scalar.file.path, compose.resolve(scalar.text).text) ?? [])
}

function envFilesOf(value: ReturnType<Service['settings']['get']>): readonly ScalarValue[] {
  return listed(value).flatMap((item) => {
    if (item.kind === 'scalar') return [item]
    return item.kind === 'map' ? (item.scalar('path') ?? []) : []
  })
}

function service(each: Service, files: Named): readonly Evidence[] {
  const { settings, compose } = each
  const database = isDatabase(compose.resolve(settings.text('image') ?? '').text)
  const evidence: Evidence[] = []
  for (const { key, value } of pairsOf(settings.get('environment'))) {
    if (value.kind !== 'scalar') continue
    if (value.value === null) {
      if (claimOf(key.text, '') === 'password') evidence.push(fromOutside(key, key.text))
    } else evidence.push(...variable(key.text, value, (text) => compose.resolve(text)))
  }
  for (const scalar of envFilesOf(settings.get('env_file'))) {
    const file = files.get(pathBeside(scalar.file.path, compose.resolve(scalar.text).text) ?? '')
    if (file === undefined && database)
      evidence.push(
        doubtful(scalar, 'The database takes its environment from a file that is not here.', { confidence: 'low' }),
      )
    if (file !== undefined) evidence.push(...envFile(file))
  }
  if (database) evidence.push(...passwordArguments(each), ...committedSecrets(each, files))
  return evidence
}

interface Resolved {
  readonly text: string
  readonly missing: readonly string[]
  readonly given: readonly { readonly name: string; readonly by: 'default' | 'env' }[]
}

function variable(name: string, value: ScalarValue, resolve: (text: string) => Resolved): readonly Evidence[] {
  const claim = claimOf(name, resolve(value.text).text)
  if (claim === undefined) return []
  const subject = `${name} ${markOf(value.text)}`
  if (claim === 'open') return [failing(value, `${name} lets everybody in without a password.`, { subject })]
  if (claim === 'password') return credential(name, value, value.text, subject, resolve)
  const { masked, variables } = maskedVariables(value.text)
  const password = passwordIn(masked)
  if (password !== undefined) return credential(name, value, unmasked(password, variables), subject, resolve)
  if (masked === value.text) return []
  // The whole address is a variable.
  const { text: address, missing, given } = resolve(value.text)
  if (passwordIn(address) !== undefined) return [failing(value, givenBy(name, given), { subject })]
  return missing.length > 0 && databaseName.test(name) && !isNameOfDatabase(name) ? [fromOutside(value, name)] : []
}

const databaseName = /DATABASE|POSTGRES|MYSQL|MARIADB|MONGO|REDIS|^DB_/i

/** `POSTGRES_DB` and its like say which database it is; `DATABASE` alone is often its whole address. */
function isNameOfDatabase(name: string): boolean {
  return /_(?:DB|DATABASE)$/i.test(name)
}

function credential(
  name: string,
  value: ScalarValue,
  written: string,
  subject: string,
  resolve: (text: string) => Resolved,
): readonly Evidence[] {
  const { text, missing, given } = resolve(written)
  // A reference of Kubernetes to another variable of the container, which is judged by itself.
  if (written === '' || /^\$\(\w+\)$/.test(written)) return []
  if (missing.length > 0 || (text === '' && given.length > 0)) return [fromOutside(value, name)]
  return [failing(value, given.length > 0 ? givenBy(name, given) : `${name} holds a password as it is.`, { subject })]
}

function givenBy(name: string, given: Resolved['given']): string {
  return given.some(({ by }) => by === 'env')
    ? `${name} takes its password from the .env in this repository.`
    : `${name} has a password by default, which everybody knows.`
}

// A text in which each `${...}` is one word, so that what is in it is not taken for a part of an address.
function maskedVariables(text: string): { readonly masked: string; readonly variables: readonly string[] } {
  const variables: string[] = []
  const masked = text.replaceAll(
    /\$\{(?:[^{}]|\$\{[^{}]*\})*\}/g,
    (written) => `\uE000${variables.push(written) - 1}\uE001`,
  )
  return { masked, variables }
}

function unmasked(part: string, variables: readonly string[]): string {
  return part.replaceAll(/\uE000(\d+)\uE001/g, (_, index: string) => variables[Number(index)] ?? '')
}

function fromOutside(spot: Spot, name: string): Evidence {
  return doubtful(spot, `${name} comes from the environment, where everybody who may inspect the container reads it.`, {
    confidence: 'medium',
    subject: `${name} from the environment`,
  })
}

function envFile(parsed: Parsed<SourceFile>): readonly Evidence[] {
  if (!isReadable(parsed)) return problemsOf(parsed)
  return envEntries(parsed.value).flatMap(({ name, value, spot }) => {
    const claim = claimOf(name, value)
    if (claim === 'open')
      return [failing(spot, `${name} lets everybody in without a password.`, { subject: `${name} open` })]
    const password = claim === 'password' ? value : claim === 'address' ? passwordIn(value) : undefined
    if (password === undefined || password === '' || password.startsWith('$')) return []
    return [failing(spot, `${name} holds a password as it is, in a file of the repository.`, { subject: name })]
  })
}

// Some databases take their password as an argument.
function passwordArguments({ settings, compose }: Service): readonly Evidence[] {
  return ['entrypoint', 'command'].flatMap((key) => passwordArgument(settings.get(key), compose))
}

function passwordArgument(command: Value | undefined, compose: Service['compose']): readonly Evidence[] {
  const words =
    command?.kind === 'scalar' ? command.text.split(/\s+/) : texts(command).flatMap((text) => text.split(/\s+/))
  const at = words.findIndex((word) => /^--(?:requirepass|pass|password|root-password)(?:=|$)/.test(word))
  if (command === undefined || at === -1) return []
  const word = words[at] ?? ''
  const given = word.includes('=') ? word.slice(word.indexOf('=') + 1) : (words[at + 1] ?? '')
  const password = given.replace(/^(["'])(.*)\1$/, '$2')
  const { text, missing } = compose.resolve(password)
  if (password === '' || (text === '' && missing.length === 0)) return []
  if (password.startsWith('$$') || password.startsWith('`')) return []
  if (missing.length > 0) return [fromOutside(command, word.split('=')[0] ?? word)]
  return [
    failing(command, 'The password is an argument of the command.', { subject: `${word.split('=')[0]} in command` }),
  ]
}

function committedSecrets({ settings, compose }: Service, files: Named): readonly Evidence[] {
  const used = listed(settings.get('secrets')).flatMap((item) => {
    if (item.kind === 'scalar') return [item.text]
    return item.kind === 'map' ? [item.text('source') ?? ''] : []
  })
  return used.flatMap((name) => {
    const file = mapAt(compose.root.map('secrets'), name)?.scalar('file')
    const path = file === undefined ? undefined : pathBeside(file.file.path, compose.resolve(file.text).text)
    if (file === undefined || path === undefined || !files.has(path)) return []
    return [
      failing(file, 'The file of this secret is in the repository.', {
        confidence: 'medium',
        subject: `secret ${file.text}`,
      }),
    ]
  })
}

function container({ node }: Container): readonly Evidence[] {
  return listed(node.get('env')).flatMap((item) => {
    const name = item.kind === 'map' ? (item.text('name') ?? '') : ''
    if (item.kind !== 'map') return []
    const value = item.scalar('value')
    if (value !== undefined && value.value !== null)
      return variable(name, value, (text) => ({ text, missing: [], given: [] }))
    const map = item.map('valueFrom')?.map('configMapKeyRef')
    if (map === undefined || claimOf(name, '') !== 'password') return []
    return [
      failing(map, `${name} comes from a ConfigMap, which is no secret.`, { subject: `${name} from a ConfigMap` }),
    ]
  })
}

function object({ kind, node }: KubernetesObject): readonly Evidence[] {
  if (kind.text === 'Secret') return secretObject(node)
  if (kind.text !== 'ConfigMap') return []
  return (node.map('data')?.entries ?? []).flatMap(({ key, value }) =>
    value.kind === 'scalar' && !value.text.includes('\n')
      ? variable(key.text, value, (text) => ({ text, missing: [], given: [] }))
      : [],
  )
}

// What is filled in later, or was encrypted before it came here.
const notYetSecret = /^\s*$|\$[{(]|\{\{|^<.*>$|^ENC\[|^(?:ref\+|vault:|op:\/\/)/

function secretObject(node: KubernetesObject['node']): readonly Evidence[] {
  const owner = node.map('metadata')?.text('name') ?? ''
  return ['data', 'stringData'].flatMap((part) =>
    (node.map(part)?.entries ?? []).flatMap(({ key, value }) => {
      if (value.kind !== 'scalar' || value.text.length > 8192) return []
      const text = part === 'data' ? Buffer.from(value.text, 'base64').toString() : value.text
      if (notYetSecret.test(value.text) || notYetSecret.test(text)) return []
      // `password` alone is one of a database where the Secret is named for one.
      const claim = claimOf(key.text, text) ?? claimOf(`${owner}_${key.text}`.replaceAll(/[-.]/g, '_'), text)
      const password = claim === 'password' ? text : claim === 'address' ? passwordIn(text) : undefined
      if (password === undefined) return []
      const detail = `${key.text} of the Secret ${owner} holds a password that everybody who reads the repository has.`
      return [failing(value, detail, { confidence: 'medium', subject: `${owner} ${key.text}` })]
    }),
  )
}
