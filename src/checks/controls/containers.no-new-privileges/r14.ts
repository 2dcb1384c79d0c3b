import { repoCheck } from '../../check.ts'
import { composes, type Service } from '../../collect/containers/composes.ts'
import { kubernetes, type Container } from '../../collect/containers/kubernetes.ts'
import { texts } from '../../collect/values/value.ts'
import { failing, type Evidence } from '../../evidence.ts'
import { setEntry } from '../../fix/edits.ts'
import { containerSpot, containerSubject, eachContainer, serviceSubject } from '../each-container.ts'

const risk = 'A program that becomes root by a setuid file, such as sudo, ping or some entrypoints, stops working.'

export const r14 = repoCheck({
  id: 'R14',
  title: 'Processes of containers cannot gain privileges',
  fixes: 'unsafe',
  needs: { composes, kubernetes },
  judge: ({ composes: projects, kubernetes: manifests }) => eachContainer(projects, manifests, { service, container }),
})

function service(each: Service): readonly Evidence[] {
  const { settings, node, name, fragment, partly, compose } = each
  const options = settings.get('security_opt')
  if (options === undefined && (fragment || partly)) return []
  const said = texts(options)
    .map((text) => /^no-new-privileges(?:\s*[:=]\s*(\S+))?$/i.exec(compose.resolve(text).text.trim()))
    .findLast((match) => match !== null)
  // Docker reads the value as Go reads a boolean; without one it is true.
  if (said !== undefined && /^(?:true|t|1)$/i.test(said?.[1] ?? 'true')) return []
  const fix = {
    safety: 'unsafe',
    description: 'Set no-new-privileges',
    risk,
    edits: setEntry(node, ['security_opt'], '["no-new-privileges:true"]'),
  } as const
  const detail = 'Processes of the service can gain privileges.'
  const whole = options === undefined ? { fix } : {}
  return [failing(name, detail, { subject: serviceSubject(each, 'no-new-privileges'), ...whole })]
}

function container(each: Container): readonly Evidence[] {
  const allowed = each.security?.scalar('allowPrivilegeEscalation')
  if (allowed?.text === 'false') return []
  const fix = {
    safety: 'unsafe',
    description: 'Set allowPrivilegeEscalation to false',
    risk,
    edits: setEntry(each.node, ['securityContext', 'allowPrivilegeEscalation'], 'false'),
  } as const
  const detail = 'Processes of the container can gain privileges.'
  return [
    failing(allowed ?? containerSpot(each), detail, {
      subject: containerSubject(each, 'allowPrivilegeEscalation'),
      fix,
    }),
  ]
}
