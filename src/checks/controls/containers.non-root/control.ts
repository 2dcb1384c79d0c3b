import type { Control } from '../../check.ts'
import { r11 } from './r11.ts'

export const nonRoot: Control = {
  id: 'containers.non-root',
  title: 'No container runs as root',
  severity: 'high',
  why: 'Whoever breaks into a process that runs as root owns everything in the container, and one flaw of the kernel or one mounted path away, the host.',
  remediation:
    'End the Dockerfile with `USER` and a number such as 10001; or set `user: "10001:10001"` in the compose file, or `runAsNonRoot: true` in the securityContext.',
  references: [
    'https://docs.docker.com/build/building/best-practices/#user',
    'https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted',
    'https://www.cisecurity.org/benchmark/docker',
  ],
  rows: ['R11'],
  checks: [r11],
}
