import type { Control } from '../../check.ts'
import { r19 } from './r19.ts'

export const hstsOn: Control = {
  id: 'proxy.hsts-on',
  title: 'Browsers are told to use HTTPS alone, for two years and all subdomains',
  severity: 'medium',
  why: 'The first request that a browser sends without TLS can be answered by whoever is in between, and a cookie of one subdomain is set by another.',
  remediation:
    'Add `header Strict-Transport-Security "max-age=63072000; includeSubDomains"` to the site, without a matcher.',
  references: [
    'https://www.rfc-editor.org/rfc/rfc6797',
    'https://hstspreload.org/',
    'https://caddyserver.com/docs/caddyfile/directives/header',
  ],
  rows: ['R19'],
  checks: [r19],
}
