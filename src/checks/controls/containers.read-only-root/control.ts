import type { Control } from '../../check.ts'
import { r12 } from './r12.ts'

export const readOnlyRoot: Control = {
  id: 'containers.read-only-root',
  title: 'The root filesystem of every container is read-only',
  severity: 'medium',
  why: 'An attacker who can write into the container replaces its programs and leaves tools behind that outlive the request they came with.',
  remediation:
    'Set `read_only: true` (compose) or `readOnlyRootFilesystem: true` (Kubernetes), and give what must be written a volume or a tmpfs.',
  references: [
    'https://docs.docker.com/reference/compose-file/services/#read_only',
    'https://kubernetes.io/docs/tasks/configure-pod-container/security-context/',
    'https://www.cisecurity.org/benchmark/docker',
  ],
  rows: ['R12'],
  checks: [r12],
}
