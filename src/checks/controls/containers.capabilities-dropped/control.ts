import type { Control } from '../../check.ts'
import { r13 } from './r13.ts'

export const capabilitiesDropped: Control = {
  id: 'containers.capabilities-dropped',
  title: 'Containers have no capability of the kernel that they do not name',
  severity: 'high',
  why: 'What a container gets by default lets a process in it forge packets, change owners and make device nodes, which turns a small hole into a way out.',
  remediation:
    'Set `cap_drop: [ALL]` (compose) or `capabilities: { drop: ["ALL"] }` (Kubernetes), and add back only what is needed by name. Never use `privileged`.',
  references: [
    'https://docs.docker.com/reference/compose-file/services/#cap_drop',
    'https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted',
    'https://man7.org/linux/man-pages/man7/capabilities.7.html',
  ],
  rows: ['R13'],
  checks: [r13],
}
