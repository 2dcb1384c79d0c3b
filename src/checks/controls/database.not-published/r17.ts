import { repoCheck } from '../../check.ts'
import { hostNetwork, isLoopback, publishedPorts, type PublishedPort } from '../../collect/containers/compose-ports.ts'
import { composes, type Service } from '../../collect/containers/composes.ts'
import { kubernetes, type Container, type KubernetesObject, type Pod } from '../../collect/containers/kubernetes.ts'
import { listed, type MapValue } from '../../collect/values/value.ts'
import { doubtful, failing, type Evidence } from '../../evidence.ts'
import { eachContainer, truth } from '../each-container.ts'
import { databasePorts, isDatabase } from '../known-images.ts'

export const r17 = repoCheck({
  id: 'R17',
  title: 'The database is not published',
  needs: { composes, kubernetes },
  judge: ({ composes: projects, kubernetes: manifests }) =>
    eachContainer(projects, manifests, { service, container, object }),
})

function service(each: Service): readonly Evidence[] {
  const { settings, compose } = each
  const image = compose.resolve(settings.text('image') ?? '').text
  const database = isDatabase(image)
  const shared = database ? hostNetwork(each) : undefined
  const host =
    shared === undefined
      ? []
      : [failing(shared, 'The database shares the network of the host.', { subject: `network_mode host of ${image}` })]
  return [...host, ...publishedPorts(each).flatMap((port) => published(port, database))]
}

function published({ node, address, target, missing }: PublishedPort, database: boolean): readonly Evidence[] {
  const custom = target === undefined ? undefined : databasePorts.get(target)
  if (!database && custom === undefined) return []
  const what = custom === undefined ? 'A database' : `A port of ${custom}`
  const subject = node.source
  if (isLoopback(address))
    return [
      doubtful(node, `${what} is published on loopback: every process of the host reaches it.`, {
        confidence: database ? 'high' : 'medium',
        subject,
      }),
    ]
  if (missing.some((name) => !/PORT/i.test(name)))
    return [
      doubtful(node, `${what} is published, and where depends on ${missing.join(', ')}.`, {
        confidence: 'medium',
        subject,
      }),
    ]
  return [failing(node, `${what} is published to the network.`, { confidence: database ? 'high' : 'medium', subject })]
}

function container({ node, image, pod }: Container): readonly Evidence[] {
  if (!isDatabase(image.text)) return []
  const shared = pod.spec.scalar('hostNetwork')
  if (shared !== undefined && truth(shared, (text) => ({ text, missing: [] })) === true)
    return [
      failing(shared, 'The database shares the network of its node.', { subject: `hostNetwork of ${image.text}` }),
    ]
  return listed(node.get('ports')).flatMap((port) => {
    const hostPort = port.kind === 'map' ? port.scalar('hostPort') : undefined
    if (port.kind !== 'map' || hostPort === undefined || isLoopback(port.text('hostIP') ?? '')) return []
    return [failing(hostPort, 'The database is published on its node.', { subject: `hostPort of ${image.text}` })]
  })
}

function object({ kind, node }: KubernetesObject, all: readonly KubernetesObject[]): readonly Evidence[] {
  const spec = kind.text === 'Service' ? node.map('spec') : undefined
  const type = spec?.scalar('type')
  if (spec === undefined || type === undefined || (type.text !== 'NodePort' && type.text !== 'LoadBalancer')) return []
  const ports = listed(spec.get('ports')).flatMap((port) =>
    port.kind === 'map' ? [port.text('port'), port.text('targetPort')] : [],
  )
  const custom = ports.map((port) => databasePorts.get(Number(port))).find((name) => name !== undefined)
  const database = selects(spec.map('selector'), all)
  if (!database && custom === undefined) return []
  const detail = `A ${custom ?? 'database'} is reached from outside of the cluster.`
  return [
    failing(type, detail, { confidence: database ? 'high' : 'medium', subject: `${type.text} ${ports.join(' ')}` }),
  ]
}

// Whether a database is among the pods that it stands for.
function selects(selector: MapValue | undefined, all: readonly KubernetesObject[]): boolean {
  const wanted = selector?.entries ?? []
  if (wanted.length === 0) return false
  return databasesAmong(all).some((pod) =>
    wanted.every(({ key, value }) => value.kind === 'scalar' && pod.labels.get(key.text) === value.text),
  )
}

const databasesOf = new WeakMap<readonly KubernetesObject[], readonly Pod[]>()

function databasesAmong(all: readonly KubernetesObject[]): readonly Pod[] {
  let found = databasesOf.get(all)
  if (found === undefined) {
    found = all.flatMap(({ pod }) =>
      pod?.containers.some(({ image }) => isDatabase(image.text)) === true ? [pod] : [],
    )
    databasesOf.set(all, found)
  }
  return found
}
