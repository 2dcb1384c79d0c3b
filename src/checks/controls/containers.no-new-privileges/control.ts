import type { Control } from '../../check.ts'
import { r14 } from './r14.ts'

export const noNewPrivileges: Control = {
  id: 'containers.no-new-privileges',
  title: 'No process in a container gains privileges',
  severity: 'medium',
  why: 'One setuid program left in an image turns whoever runs code as an ordinary user of the container into its root.',
  remediation:
    'Set `security_opt: ["no-new-privileges:true"]` (compose) or `allowPrivilegeEscalation: false` (Kubernetes).',
  references: [
    'https://docs.kernel.org/userspace-api/no_new_privs.html',
    'https://docs.docker.com/reference/cli/docker/container/run/#security-opt',
    'https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted',
  ],
  rows: ['R14'],
  checks: [r14],
}
