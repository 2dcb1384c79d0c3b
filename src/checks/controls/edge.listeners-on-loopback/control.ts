import type { Control } from '../../check.ts'
import { f15 } from './f15.ts'
import { w01 } from './w01.ts'

export const listenersOnLoopback: Control = {
  id: 'edge.listeners-on-loopback',
  title: 'The listeners are bound to loopback',
  severity: 'critical',
  why: 'Whoever reaches the machine on such a port talks to the control plane in the clear, past the proxy with its TLS and its limits.',
  remediation:
    'Bind `listen.grpc`, `listen.http` and `listen.management` (GRPC_ADDR, HTTP_ADDR) to 127.0.0.1 or [::1], and let a proxy on the same machine carry calls from outside.',
  references: [
    'https://cwe.mitre.org/data/definitions/1327.html',
    'https://cheatsheetseries.owasp.org/cheatsheets/Microservices_Security_Cheat_Sheet.html',
  ],
  rows: ['F15', 'W01'],
  checks: [f15, w01],
}
