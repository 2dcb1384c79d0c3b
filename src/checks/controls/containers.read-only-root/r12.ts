import { repoCheck } from '../../check.ts'
import { composes, type Service } from '../../collect/containers/composes.ts'
import { kubernetes, type Container } from '../../collect/containers/kubernetes.ts'
import { doubtful, failing, type Evidence } from '../../evidence.ts'
import { setEntry } from '../../fix/edits.ts'
import { containerSpot, containerSubject, eachContainer, serviceSubject, truth } from '../each-container.ts'

const risk = 'A program that writes outside of its volumes and tmpfs mounts stops working.'

export const r12 = repoCheck({
  id: 'R12',
  title: 'The root filesystem of containers is read-only',
  fixes: 'unsafe',
  needs: { composes, kubernetes },
  judge: ({ composes: projects, kubernetes: manifests }) => eachContainer(projects, manifests, { service, container }),
})

function service(each: Service): readonly Evidence[] {
  const { settings, node, name, fragment, partly, compose } = each
  const readOnly = settings.get('read_only')
  if (readOnly === undefined && (fragment || partly)) return []
  const said = truth(readOnly, (text) => compose.resolve(text))
  if (said === true) return []
  if (readOnly !== undefined && said === undefined)
    return [
      doubtful(readOnly, 'Whether the root filesystem is read-only depends on a variable.', { confidence: 'low' }),
    ]
  const fix = {
    safety: 'unsafe',
    description: 'Set read_only',
    risk,
    edits: setEntry(node, ['read_only'], 'true'),
  } as const
  const detail = 'The service can write to its root filesystem.'
  return [failing(readOnly ?? name, detail, { subject: serviceSubject(each, 'read_only'), fix })]
}

function container(each: Container): readonly Evidence[] {
  const readOnly = each.security?.scalar('readOnlyRootFilesystem')
  if (readOnly?.text === 'true') return []
  const fix = {
    safety: 'unsafe',
    description: 'Set readOnlyRootFilesystem',
    risk,
    edits: setEntry(each.node, ['securityContext', 'readOnlyRootFilesystem'], 'true'),
  } as const
  const detail = 'The container can write to its root filesystem.'
  return [
    failing(readOnly ?? containerSpot(each), detail, {
      subject: containerSubject(each, 'readOnlyRootFilesystem'),
      fix,
    }),
  ]
}
