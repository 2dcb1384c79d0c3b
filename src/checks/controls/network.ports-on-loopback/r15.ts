import { isIP } from 'node:net'
import { repoCheck } from '../../check.ts'
import { hostNetwork, isLoopback, publishedPorts, type PublishedPort } from '../../collect/containers/compose-ports.ts'
import { composes, type Service } from '../../collect/containers/composes.ts'
import { kubernetes, type Container, type KubernetesObject } from '../../collect/containers/kubernetes.ts'
import { listed } from '../../collect/values/value.ts'
import { doubtful, failing, unjudged, type Edit, type Evidence, type Fix } from '../../evidence.ts'
import { replaceScalar, setEntry } from '../../fix/edits.ts'
import { eachContainer, truth } from '../each-container.ts'
import { isProxy } from '../known-images.ts'

export const r15 = repoCheck({
  id: 'R15',
  title: 'Published ports bind loopback',
  fixes: 'unsafe',
  needs: { composes, kubernetes },
  judge: ({ composes: projects, kubernetes: manifests }) =>
    eachContainer(projects, manifests, { service, container, object }),
})

function service(each: Service): readonly Evidence[] {
  const shared = hostNetwork(each)
  const host =
    shared === undefined
      ? []
      : [
          failing(shared, 'It shares the network of the host: whatever it listens on is a port of the host.', {
            subject: 'network_mode host',
          }),
        ]
  const image = each.compose.resolve(each.settings.text('image') ?? '').text
  return [...host, ...publishedPorts(each).flatMap((port) => portEvidence(port, image))]
}

function portEvidence(port: PublishedPort, image: string): readonly Evidence[] {
  const { node, address, target, missing } = port
  const subject = node.source
  if (missing.length > 0 && !missing.every((name) => /PORT/i.test(name)))
    return [doubtful(node, `Where this is published depends on ${missing.join(', ')}.`, { confidence: 'low', subject })]
  if (isLoopback(address)) return []
  if (address !== '' && isIP(address.replace(/^\[|\]$/g, '')) === 0)
    return [unjudged('ERROR', node, `"${address}" is no address that a port could be published on.`, { subject })]
  const front = isProxy(image) && (target === 80 || target === 443 || port.published === 80 || port.published === 443)
  if (front)
    return [
      doubtful(node, 'A proxy answers on every network here: it is to be the only service that does.', {
        confidence: 'medium',
        subject,
      }),
    ]
  const where = /^\[?(?:0\.0\.0\.0|::|)\]?$/.test(address) ? 'on every network of the host' : `on ${address}`
  const confidence = missing.length > 0 ? 'medium' : 'high'
  return [failing(node, `This port is published ${where}.`, { subject, confidence, fix: toLoopback(port) })]
}

function toLoopback({ node, address }: PublishedPort): Fix | undefined {
  const edits = node.kind === 'map' ? setEntry(node, ['host_ip'], '127.0.0.1') : short(node, address)
  if (edits.length === 0) return undefined
  const risk = 'Other hosts no longer reach this port.'
  return { safety: 'unsafe', description: 'Publish on 127.0.0.1', risk, edits }

  function short(scalar: Extract<PublishedPort['node'], { kind: 'scalar' }>, written: string): readonly Edit[] {
    // An address that a variable gives is changed where the variable is.
    const rest =
      written === ''
        ? scalar.text
        : scalar.text.startsWith(`${written}:`)
          ? scalar.text.slice(written.length + 1)
          : undefined
    if (rest === undefined) return []
    const colons = rest.startsWith(':') ? '' : ':'
    const alone = /^[\d-]+(?:\/\w+)?$/.test(rest) && written === '' ? ':' : ''
    return replaceScalar(scalar, `127.0.0.1${colons}${alone}${rest}`)
  }
}

function container({ node, pod }: Container): readonly Evidence[] {
  const shared = pod.spec.scalar('hostNetwork')
  // Kubernetes reads YAML 1.1, in which `True` and `yes` are true as well.
  const isHost = truth(shared, (text) => ({ text, missing: [] })) === true
  const host =
    shared !== undefined && isHost
      ? [
          failing(shared, 'The pod shares the network of its node: whatever it listens on is a port of the node.', {
            subject: 'hostNetwork',
          }),
        ]
      : []
  const ports = listed(node.get('ports')).flatMap((port) => {
    const hostPort = port.kind === 'map' ? port.scalar('hostPort') : undefined
    if (port.kind !== 'map' || hostPort === undefined || hostPort.text === '0' || isHost) return []
    const address = port.text('hostIP') ?? ''
    if (isLoopback(address)) return []
    return [
      failing(hostPort, 'This port answers on every network of the node.', { subject: `hostPort ${hostPort.text}` }),
    ]
  })
  return [...host, ...ports]
}

// A service of a cluster cannot bind loopback; one that leaves the cluster is at least worth a look.
function object({ kind, node }: KubernetesObject): readonly Evidence[] {
  const spec = kind.text === 'Service' ? node.map('spec') : undefined
  const [external] = listed(spec?.get('externalIPs'))
  const type = spec?.scalar('type')
  if (external !== undefined && type?.text !== 'NodePort' && type?.text !== 'LoadBalancer') {
    const detail =
      'Its ports answer on these addresses, on every node: only a proxy is meant to be reached from outside.'
    return [doubtful(external, detail, { confidence: 'medium', subject: `external addresses of ${portsOf(node)}` })]
  }
  if (type === undefined || (type.text !== 'NodePort' && type.text !== 'LoadBalancer')) return []
  const annotations = node.map('metadata')?.map('annotations')?.entries ?? []
  const internal = annotations.some(
    ({ key, value }) =>
      /internal|scheme|load-balancer-type/.test(key.text) &&
      value.kind === 'scalar' &&
      /^(?:true|internal)$/i.test(value.text),
  )
  if (internal && type.text === 'LoadBalancer') return []
  const detail =
    type.text === 'NodePort'
      ? 'The ports of this Service answer on every network of every node.'
      : 'This Service is reached from outside of the cluster: only a proxy is meant to be.'
  return [doubtful(type, detail, { confidence: 'medium', subject: `${type.text} of ${portsOf(node)}` })]
}

function portsOf(node: KubernetesObject['node']): string {
  const ports = listed(node.map('spec')?.get('ports'))
  return ports.map((port) => (port.kind === 'map' ? (port.text('port') ?? '') : '')).join(' ')
}
