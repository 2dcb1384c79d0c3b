import { repoCheck } from '../../check.ts'
import { composes, type Service } from '../../collect/containers/composes.ts'
import { kubernetes, type Container } from '../../collect/containers/kubernetes.ts'
import { listed, type ScalarValue, type Value } from '../../collect/values/value.ts'
import { doubtful, failing, holding, type Evidence } from '../../evidence.ts'
import { setEntry } from '../../fix/edits.ts'
import { containerSpot, containerSubject, eachContainer, serviceSubject, truth } from '../each-container.ts'

const risk =
  'A program that needs a capability, to change owners or to bind a low port, stops working until that is added by name.'

// What the baseline of the Pod Security Standards lets a container add.
const ordinary = new Set(
  'AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT'.split(
    ' ',
  ),
)

export const r13 = repoCheck({
  id: 'R13',
  title: 'All capabilities are dropped, and none but ordinary ones are added back by name',
  fixes: 'unsafe',
  needs: { composes, kubernetes },
  judge: ({ composes: projects, kubernetes: manifests }) => eachContainer(projects, manifests, { service, container }),
})

function service(each: Service): readonly Evidence[] {
  const { settings, node, name, fragment, partly, compose } = each
  const resolve = (text: string): { text: string; missing: readonly string[] } => compose.resolve(text)
  const privileged = privilege(settings.get('privileged'), resolve)
  const added = addedBack(settings.get('cap_add'))
  const drop = settings.get('cap_drop')
  if (dropsAll(drop) || ((fragment || partly) && drop === undefined)) return [...privileged, ...added]
  const fix = {
    safety: 'unsafe',
    description: 'Drop all capabilities',
    risk,
    edits: setEntry(node, ['cap_drop'], '[ALL]'),
  } as const
  const detail =
    drop === undefined ? 'The service keeps the default capabilities.' : 'The service drops some capabilities, not all.'
  return [...privileged, ...added, failing(name, detail, { subject: serviceSubject(each, 'cap_drop'), fix })]
}

function container(each: Container): readonly Evidence[] {
  const capabilities = each.security?.map('capabilities')
  const privileged = privilege(each.security?.get('privileged'), (text) => ({ text, missing: [] }))
  const added = addedBack(capabilities?.get('add'))
  if (dropsAll(capabilities?.get('drop'))) return [...privileged, ...added]
  const fix = {
    safety: 'unsafe',
    description: 'Drop all capabilities',
    risk,
    edits: setEntry(each.node, ['securityContext', 'capabilities', 'drop'], '["ALL"]'),
  } as const
  const detail = 'The container does not drop all capabilities.'
  return [
    ...privileged,
    ...added,
    failing(containerSpot(each), detail, { subject: containerSubject(each, 'capabilities'), fix }),
  ]
}

function privilege(
  value: Value | undefined,
  resolve: (text: string) => { text: string; missing: readonly string[] },
): readonly Evidence[] {
  if (value === undefined) return []
  const said = truth(value, resolve)
  if (said === false) return []
  return said === true
    ? [
        failing(value, 'It is privileged: it has every capability and every device of the host.', {
          subject: 'privileged',
        }),
      ]
    : [doubtful(value, 'Whether it is privileged depends on a variable.', { confidence: 'low' })]
}

function dropsAll(drop: Value | undefined): boolean {
  return scalars(drop).some((scalar) => capability(scalar) === 'ALL')
}

function addedBack(add: Value | undefined): readonly Evidence[] {
  return scalars(add).map((scalar) => {
    const name = capability(scalar)
    if (ordinary.has(name)) return holding(scalar, `${name} is added back by name.`)
    const detail = name === 'ALL' ? 'Every capability is added back.' : `${name} reaches beyond the container.`
    return failing(scalar, detail, { subject: `added ${name}` })
  })
}

function scalars(value: Value | undefined): readonly ScalarValue[] {
  return listed(value).filter((item) => item.kind === 'scalar')
}

function capability({ text }: ScalarValue): string {
  return text.trim().toUpperCase().replace(/^CAP_/, '')
}
