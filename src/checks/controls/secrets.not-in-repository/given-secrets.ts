import type { Compose } from '../../collect/containers/composes.ts'
import { pairsOf } from '../../collect/containers/compose-merge.ts'
import { assignmentsIn, unquoted } from '../../collect/containers/dockerfile-variables.ts'
import { insideInstruction, type Dockerfile } from '../../collect/containers/dockerfiles.ts'
import type { KubernetesObject, Manifests } from '../../collect/containers/kubernetes.ts'
import type { Spot } from '../../collect/source-file.ts'
import { isTestPath } from '../../collect/sources/source.ts'
import { listed, type Entry, type MapValue } from '../../collect/values/value.ts'
import { doubtful, failing, type Evidence } from '../../evidence.ts'
import { claimOf, passwordIn } from '../database.credentials-from-secrets/credential.ts'
import { markOf } from '../masked.ts'
import { isRandom, kindOfName, kindOfValue, repeatsName } from './secret-names.ts'

/** A variable of a container or an image with its text. */
interface Given {
  readonly name: string
  readonly value: string
  readonly spot: Spot
  /** Where it ends up, as the finding says it. */
  readonly where: string
  /** It may never get there. */
  readonly unsure?: boolean
}

/** Variables and build arguments of services. What R16 says of databases is not said twice. */
export function ofCompose({ services }: Compose): readonly Evidence[] {
  return services.flatMap(({ node, settings }) => {
    const maps = node === settings ? [node] : [node, settings]
    const pairs = maps.flatMap((map) => [
      ...pairsOf(map.get('environment')).filter(({ key, value }) => !isOfDatabase(key, value)),
      ...pairsOf(map.map('build')?.get('args')),
    ])
    return pairs.flatMap((pair) => given(pair, 'in the compose file'))
  })
}

/** Variables of containers, ConfigMaps and Secrets. */
export function ofManifests({ objects }: Manifests): readonly Evidence[] {
  return objects.flatMap((object) => [
    ...(object.pod?.containers ?? []).flatMap(({ node }) =>
      listed(node.get('env')).flatMap((item) => {
        const [key, value] = item.kind === 'map' ? [item.scalar('name'), item.scalar('value')] : []
        if (key === undefined || value === undefined || isOfDatabase(key, value)) return []
        return given({ key, value }, 'in the manifest')
      }),
    ),
    ...(object.kind.text === 'ConfigMap' ? (object.node.map('data')?.entries ?? []) : []).flatMap((entry) =>
      isOfDatabase(entry.key, entry.value) ? [] : given(entry, 'in a ConfigMap'),
    ),
    ...(object.kind.text === 'Secret' ? ofSecret(object) : []),
  ])
}

/** ENV, which every layer above keeps, and the defaults of ARG. */
export function ofDockerfile({ instructions }: Dockerfile): readonly Evidence[] {
  return instructions.flatMap((instruction) => {
    const { keyword, text } = instruction
    if (keyword !== 'ENV' && keyword !== 'ARG') return []
    return assignmentsIn(keyword, text).flatMap(({ name, value, start }) => {
      if (value === undefined || value === '') return []
      const plain = unquoted(value)
      const from = start + (plain === value ? 0 : 1)
      const spot = insideInstruction(instruction, from, from + plain.length)
      const unsure = keyword === 'ARG'
      return judged({ name, value: plain, spot, where: unsure ? 'as the default of a build' : 'in the image', unsure })
    })
  })
}

type Pair = Pick<Entry, 'key' | 'value'>

function given({ key, value }: Pair, where: string): readonly Evidence[] {
  if (value.kind !== 'scalar' || value.value === null) return []
  return judged({ name: key.text, value: value.text, spot: value, where })
}

function isOfDatabase(key: Pair['key'], value: Pair['value']): boolean {
  return value.kind === 'scalar' && isClaimed(claimOf(key.text, value.text), value.text)
}

function isClaimed(claim: ReturnType<typeof claimOf>, text: string): boolean {
  return claim === 'password' || (claim === 'address' && passwordIn(text) !== undefined)
}

// A bundler puts these into the page: they are meant to be read.
const publicName = /^(?:NEXT_PUBLIC|VITE|REACT_APP|EXPO_PUBLIC|NUXT_PUBLIC|PUBLIC|GATSBY|VUE_APP|STORYBOOK)_/i
const testFile = /(?:^|[/._-])(?:tests?|testing|ci|e2e|integration)(?:[._-][^/]*)?$/i
const localFile =
  /(?:^|[/._-])(?:dev|devel|development|local|localdev|devcontainer)(?:[/._-][^/]*)?$|(?:^|\/)\.devcontainer\//i

function judged({ name, value, spot, where, unsure = false }: Given): readonly Evidence[] {
  const kind = kindOfName(name)
  if (kind === undefined || publicName.test(name)) return []
  const [, fallback] = /^\$\{\w+:?-([^${}]*)\}$/.exec(value.trim()) ?? []
  const text = fallback ?? value
  // Whatever a program is given under the name of a secret is taken for one, also that very name.
  const form = kindOfValue(name, text, true)
  const obvious = form === 'random' || form === 'placeholder'
  if (form === 'reference' || (kind === 'token' && !obvious)) return []
  const subject = `${name} ${markOf(text)}`
  const { path } = spot.file
  if (isTestPath(path) || testFile.test(path))
    return form === 'random'
      ? [doubtful(spot, `${name} is given ${where}, in a file for tests.`, { subject, confidence: 'low' })]
      : []
  const detail =
    fallback === undefined
      ? `${name} is given ${where}: whoever reads that has it.`
      : `Where ${name} is not set, a value ${where} that everybody can read takes its place.`
  if (form !== 'random' && localFile.test(path)) return [doubtful(spot, detail, { subject, confidence: 'low' })]
  if (unsure && !obvious && form === 'word') return [doubtful(spot, detail, { subject, confidence: 'medium' })]
  return [failing(spot, detail, { subject, confidence: obvious || kind === 'machine' ? 'high' : 'medium' })]
}

// What is filled in later, or was encrypted before it came here.
const notYetSecret = /^\s*$|\$[{(]|\{\{|^<[^\n]*>$|^ENC\[|^(?:ref\+|vault:|op:\/\/)/

function ofSecret({ node, name: owner }: KubernetesObject): readonly Evidence[] {
  return ['data', 'stringData'].flatMap((part) =>
    (node.map(part)?.entries ?? []).flatMap(({ key, value }) => {
      if (value.kind !== 'scalar' || value.text.length > 8192) return []
      const text = part === 'data' ? Buffer.from(value.text, 'base64').toString() : value.text
      const named = `${owner}_${key.text}`.replaceAll(/[-.]/g, '_')
      if (notYetSecret.test(value.text) || notYetSecret.test(text)) return []
      if (isClaimed(claimOf(key.text, text) ?? claimOf(named, text), text)) return []
      const kind = kindOfName(key.text) ?? kindOfName(named)
      const form = kindOfValue(key.text, text, true)
      const sure = isRandom(text.trim()) || (part === 'data' && /-----BEGIN [A-Z ]{0,20}PRIVATE KEY/.test(text))
      if (!sure && (kind === undefined || form === 'reference' || (kind === 'token' && form === 'word'))) return []
      const detail = `${key.text} of the Secret ${owner} has its value in the repository.`
      const subject = `${owner} ${key.text} ${markOf(text)}`
      if (isTestPath(value.file.path)) return sure ? [doubtful(value, detail, { subject, confidence: 'low' })] : []
      return [failing(value, detail, { subject, confidence: sure ? 'high' : 'medium' })]
    }),
  )
}

/** What `env` and `with` of a job or a step say as it is: what CI makes up for its own tests opens nothing. */
export function ofVariables(map: MapValue | undefined, own: boolean): readonly Evidence[] {
  return (map?.entries ?? []).flatMap(({ key, value }) => {
    if (value.kind !== 'scalar' || value.value === null || value.text.includes('${{')) return []
    const kind = kindOfName(key.text)
    if (kind === undefined || publicName.test(key.text)) return []
    const form = kindOfValue(key.text, value.text)
    const subject = `${key.text} ${markOf(value.text)}`
    const detail = `${key.text} stands in the workflow as it is.`
    if (form === 'random' && !own) return [failing(value, detail, { subject, confidence: 'medium' })]
    const made = /test|dummy|fake|example|sample|foo|bar|admin|root|postgres|mysql|password|secret|ci\b|1234/i
    const doubt = form === 'random' || (form === 'mixed' && kind !== 'token' && !own && !made.test(value.text))
    return doubt && !repeatsName(key.text, value.text) ? [doubtful(value, detail, { subject, confidence: 'low' })] : []
  })
}
