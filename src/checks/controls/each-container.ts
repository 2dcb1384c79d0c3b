import { problemsOf } from '../check.ts'
import type { Compose, Service } from '../collect/containers/composes.ts'
import type { Container, KubernetesObject } from '../collect/containers/kubernetes.ts'
import type { kubernetes } from '../collect/containers/kubernetes.ts'
import type { Facts } from '../collect/collector.ts'
import { isReadable, type Parsed, type Spot } from '../collect/source-file.ts'
import type { ScalarValue, Value } from '../collect/values/value.ts'
import { stated, unjudged, type Evidence } from '../evidence.ts'

type Kubernetes = Facts<{ readonly of: typeof kubernetes }>['of']

interface Judges {
  /** Also those that only change a service of another file: what they lack is not missing. */
  service(service: Service): readonly Evidence[]
  container(container: Container): readonly Evidence[]
  object?(object: KubernetesObject, all: readonly KubernetesObject[]): readonly Evidence[]
}

const noContainers = 'There is neither a compose file nor a Kubernetes manifest.'

/** Judges the services of compose files and the containers of Kubernetes manifests, and says what could not be looked at. */
export function eachContainer(
  composes: readonly Parsed<Compose>[],
  { manifests, charts }: Kubernetes,
  judges: Judges,
): readonly Evidence[] {
  const readable = manifests.flatMap((parsed) => (isReadable(parsed) ? parsed.value.objects : []))
  const evidence: Evidence[] = []
  const whole = new Set(
    composes.flatMap((parsed) =>
      isReadable(parsed) ? parsed.value.services.flatMap(({ fragment, name }) => (fragment ? [] : [name.text])) : [],
    ),
  )
  for (const parsed of composes) {
    evidence.push(...problemsOf(parsed))
    if (!isReadable(parsed)) continue
    const { services, unseen } = parsed.value
    evidence.push(...unseen.map(({ spot, why }) => unjudged('UNKNOWN', spot, why)))
    for (const service of services) evidence.push(...orphan(service, whole), ...judges.service(service))
  }
  for (const parsed of manifests) evidence.push(...problemsOf(parsed))
  for (const object of readable) {
    evidence.push(...(judges.object?.(object, readable) ?? []))
    for (const container of object.pod?.containers ?? []) evidence.push(...judges.container(container))
  }
  for (const { chart, first } of charts)
    evidence.push(
      unjudged(
        'UNKNOWN',
        { file: first, start: 0, end: 0 },
        'Templates are no YAML before they are filled in: check what they become.',
        {
          subject: `templates of ${chart}`,
        },
      ),
    )
  const judgedObjects = judges.object === undefined ? readable.filter(({ pod }) => pod !== undefined) : readable
  const looked = composes.length + judgedObjects.length + evidence.length > 0
  return looked ? evidence : [stated('repo', 'NOT_APPLICABLE', noContainers)]
}

// It is judged with the service that it changes, where that one was found.
function orphan(service: Service, whole: ReadonlySet<string>): readonly Evidence[] {
  if (!service.fragment || service.partly || whole.has(service.name.text)) return []
  return [
    unjudged('UNKNOWN', service.name, 'It has neither image nor build, and no other compose file has this service.'),
  ]
}

/** What a finding about something missing in a service is bound to: what it runs, not how it is called. */
export function serviceSubject({ settings, name }: Service, about: string): string {
  const build = settings.get('build')
  const what = settings.text('image') ?? (build?.kind === 'map' ? build.text('context') : settings.text('build'))
  return `${about} of ${what ?? name.text}`
}

export function containerSubject({ image }: Container, about: string): string {
  return `${about} of ${image.text}`
}

/** Where what a container lacks is reported. */
export function containerSpot({ node, image }: Container): Spot {
  return node.scalar('name') ?? image
}

/** Truth as YAML and compose files write it; undefined where it is neither, or not known. */
export function truth(
  value: Value | undefined,
  resolve: (text: string) => { text: string; missing: readonly string[] },
): boolean | undefined {
  if (value?.kind !== 'scalar') return undefined
  const { text, missing } = resolve(value.text)
  if (missing.length > 0) return undefined
  if (/^(?:true|yes|on|1)$/i.test(text)) return true
  return /^(?:false|no|off|0|)$/i.test(text) ? false : undefined
}

/** The last word of container and pod about a setting. */
export function containerSetting({ security, pod }: Container, key: string): ScalarValue | undefined {
  return security?.scalar(key) ?? pod.security?.scalar(key)
}
