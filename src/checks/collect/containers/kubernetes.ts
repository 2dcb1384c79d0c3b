import type { Collector } from '../collector.ts'
import { isReadable, type Parsed, type SourceFile } from '../source-file.ts'
import { listed, type MapValue, type ScalarValue } from '../values/value.ts'
import { parseJson } from '../values/json5.ts'
import { parseYamlDocuments } from '../values/yaml.ts'

/** A file of Kubernetes manifests. */
export interface Manifests {
  readonly file: SourceFile
  readonly objects: readonly KubernetesObject[]
}

export interface KubernetesObject {
  readonly kind: ScalarValue
  readonly name: string
  readonly node: MapValue
  /** What it runs, where it is a kind that runs something on Linux. */
  readonly pod?: Pod
}

export interface Pod {
  readonly object: KubernetesObject
  readonly spec: MapValue
  readonly security: MapValue | undefined
  readonly labels: ReadonlyMap<string, string>
  /** Containers and init containers; what a patch says about containers of another file is not among them. */
  readonly containers: readonly Container[]
}

export interface Container {
  readonly node: MapValue
  readonly name: string
  readonly image: ScalarValue
  readonly security: MapValue | undefined
  readonly pod: Pod
}

/** Templates of charts, which are no YAML before they are filled in. */
export interface ChartTemplates {
  readonly chart: SourceFile['path']
  readonly first: SourceFile
}

const podPaths: Readonly<Record<string, readonly string[]>> = {
  Pod: ['spec'],
  PodTemplate: ['template', 'spec'],
  Deployment: ['spec', 'template', 'spec'],
  StatefulSet: ['spec', 'template', 'spec'],
  DaemonSet: ['spec', 'template', 'spec'],
  ReplicaSet: ['spec', 'template', 'spec'],
  ReplicationController: ['spec', 'template', 'spec'],
  Job: ['spec', 'template', 'spec'],
  CronJob: ['spec', 'jobTemplate', 'spec', 'template', 'spec'],
}
const runs = new RegExp(
  `\\bkind["']?[ \\t]*:[ \\t]*(?:[&!]\\S{0,99}[ \\t]+){0,2}["']?(?:${Object.keys(podPaths).join('|')}|Service|ConfigMap|Secret|\\w*List)\\b`,
)

interface Found {
  readonly manifests: readonly Parsed<Manifests>[]
  readonly charts: readonly ChartTemplates[]
}

/** The manifests of the tree: YAML and JSON documents with `apiVersion` and `kind`; and the templates that cannot be read as YAML. */
export const kubernetes: Collector<'repo', Found> = async (tree) => {
  const charts = tree.matching(/(?:^|\/)Chart\.ya?ml$/).map(({ path }) => path.slice(0, path.lastIndexOf('/') + 1))
  const manifests: Parsed<Manifests>[] = []
  const templated = new Map<string, ChartTemplates>()
  for (const found of tree.matching(/^(?!\.github\/).*\.(?:ya?ml|json|tpl)$/i)) {
    const parsed = await tree.read(found)
    // A file that cannot be read at all is not known to be one.
    if (!isReadable(parsed) || !parsed.value.text.includes('apiVersion') || !runs.test(parsed.value.text)) continue
    const file = parsed.value
    if (/\.json$/i.test(file.path)) {
      manifests.push(...(await jsonManifests(file)))
      continue
    }
    const chart = charts.find((folder) => file.path.startsWith(`${folder}templates/`))
    if (file.text.includes('{{') && (chart !== undefined || /^[ \t]*\{\{/m.test(file.text))) {
      const name = chart ?? file.path
      if (!templated.has(name)) templated.set(name, { chart: name, first: file })
      continue
    }
    if (/\.tpl$/i.test(file.path)) continue
    const yaml = parseYamlDocuments(file)
    if (!isReadable(yaml)) {
      manifests.push(yaml)
      continue
    }
    const objects = yaml.value.flatMap((value) => (value.kind === 'map' ? objectsOf(value, 0) : []))
    if (objects.length > 0) manifests.push({ file, value: { file, objects } })
  }
  return { manifests, charts: [...templated.values()] }
}

async function jsonManifests(file: SourceFile): Promise<readonly Parsed<Manifests>[]> {
  const json = await parseJson(file)
  // Data of all kinds is JSON: one that does not parse is a manifest where it begins like one.
  if (!isReadable(json)) return /^\s*\{\s*"(?:apiVersion|kind)"/.test(file.text) ? [json] : []
  const objects = json.value.kind === 'map' ? objectsOf(json.value, 0).filter(isWritten) : []
  return objects.length > 0 ? [{ file, value: { file, objects } }] : []
}

// What a cluster answered, kept as data of a test, is nothing that anybody applies.
function isWritten({ node }: KubernetesObject): boolean {
  return node.map('metadata')?.entry('uid') === undefined
}

function objectsOf(node: MapValue, depth: number): readonly KubernetesObject[] {
  const kind = node.scalar('kind')
  if (kind === undefined || node.scalar('apiVersion') === undefined) return []
  if (kind.text.endsWith('List') && depth < 4)
    return listed(node.get('items')).flatMap((item) => (item.kind === 'map' ? objectsOf(item, depth + 1) : []))
  const base: KubernetesObject = { kind, name: node.map('metadata')?.text('name') ?? '', node }
  const path = podPaths[kind.text]
  if (path === undefined || !Object.hasOwn(podPaths, kind.text)) return [base]
  let holder = node
  for (const key of path.slice(0, -1)) {
    const next = holder.map(key)
    if (next === undefined) return [base]
    holder = next
  }
  const spec = holder.map('spec')
  if (spec === undefined || spec.map('os')?.text('name') === 'windows') return [base]
  return [withPod(base, spec, holder)]
}

function withPod(base: KubernetesObject, spec: MapValue, holder: MapValue): KubernetesObject {
  const labels = holder.map('metadata')?.map('labels')?.entries ?? []
  const containers: Container[] = []
  const object: KubernetesObject = { ...base }
  const pod: Pod = {
    object,
    spec,
    security: spec.map('securityContext'),
    labels: new Map(labels.flatMap(({ key, value }) => (value.kind === 'scalar' ? [[key.text, value.text]] : []))),
    containers,
  }
  for (const node of [...listed(spec.get('initContainers')), ...listed(spec.get('containers'))]) {
    if (node.kind !== 'map') continue
    const image = node.scalar('image')
    if (image === undefined) continue
    containers.push({ node, name: node.text('name') ?? '', image, security: node.map('securityContext'), pod })
  }
  return Object.assign(object, { pod })
}
