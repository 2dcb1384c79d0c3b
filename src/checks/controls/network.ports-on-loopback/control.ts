import type { Control } from '../../check.ts'
import { r15 } from './r15.ts'

export const portsOnLoopback: Control = {
  id: 'network.ports-on-loopback',
  title: 'Published ports answer on loopback alone',
  severity: 'critical',
  why: 'A port that is published without an address answers on every network of the host, and Docker opens it in front of the firewall.',
  remediation:
    'Publish as `127.0.0.1:8080:8080`, and let a proxy be the only thing that others reach; use `expose`, or nothing, between services.',
  references: [
    'https://docs.docker.com/engine/network/packet-filtering-firewalls/',
    'https://docs.docker.com/reference/compose-file/services/#ports',
    'https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline',
  ],
  rows: ['R15'],
  checks: [r15],
}
