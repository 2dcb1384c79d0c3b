import type { Control } from '../../check.ts'
import { r18 } from './r18.ts'

export const grpcOverTls: Control = {
  id: 'proxy.grpc-over-tls',
  title: 'The proxy lets gRPC through over TLS 1.2 or later, and nothing else',
  severity: 'critical',
  why: 'Whatever a proxy passes on besides gRPC reaches a listener that was never meant for browsers and scanners, and old TLS lets others read along.',
  remediation:
    "Serve the gRPC host over HTTPS with Caddy's default protocols, put `reverse_proxy h2c://...` into `handle @grpc` with `@grpc protocol grpc`, and end with a `handle` of its own that holds `respond 404`; what follows a brace belongs on the next line.",
  references: [
    'https://caddyserver.com/docs/caddyfile/directives/tls',
    'https://caddyserver.com/docs/caddyfile/matchers#protocol',
    'https://caddyserver.com/docs/caddyfile/options#protocols',
    'https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md',
  ],
  rows: ['R18'],
  checks: [r18],
}
