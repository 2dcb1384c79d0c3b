import * as z from 'zod'
import { parseAddress, parseCidr } from '#core'
import { flag, optionalSection, parsedText, requiredText, section, type FieldMeta } from './fields.ts'

export const listen = section('Where the server listens: `host:port`, IPv6 in brackets, port 0 for any free port.', {
  grpc: address('127.0.0.1:50051', 'gRPC.', { plain: 'GRPC_ADDR' }),
  http: address('127.0.0.1:8080', 'HTTP: the API, the console and everything else for browsers.', {
    plain: 'HTTP_ADDR',
  }),
  management: address('127.0.0.1:9091', 'Health, readiness and metrics. Carries no credentials: keep it private.'),
  agentsGrpc: optionalAddress('gRPC for agents with a client certificate; see `tls`. Off unless it is set.'),
  agentsHttp: optionalAddress('HTTPS for agents with a client certificate; see `tls`. Off unless it is set.'),
})

export const reflection = section('gRPC server reflection (v1 and v1alpha).', {
  enabled: flag(false, 'Serve the contract to clients that ask. In production this needs a waiver.', {
    plain: 'ENABLE_REFLECTION',
  }),
  waiver: optionalSection('Why reflection may be on in production, on whose word and until when.', {
    reason: requiredText('Why it is needed.'),
    owner: requiredText('Who answers for it.'),
    expires: z.iso.date().meta({
      description: 'The last day (UTC) on which it holds.',
      form: 'a date such as 2027-01-31',
    } satisfies FieldMeta),
  }),
})

const networksMax = 256

export const trustedProxies = z
  .array(parsedText(parseProxyNetwork))
  .max(networksMax)
  .default([])
  .meta({
    description: 'Networks of the proxies whose forwarded headers are believed, as CIDR. None by default.',
    form: 'a list of networks such as 10.0.0.0/8',
    reload: true,
  } satisfies FieldMeta)

function address(value: string, description: string, more: Omit<FieldMeta, 'description'> = {}) {
  return parsedText(parseAddress)
    .default(value)
    .meta({ description, form: 'host:port', ...more })
}

function optionalAddress(description: string) {
  return parsedText(parseAddress)
    .optional()
    .meta({ description, form: 'host:port' } satisfies FieldMeta)
}

function parseProxyNetwork(text: string): void {
  if (parseCidr(text).prefixBits > 0) return
  throw new Error('This network is the whole internet: everybody could forge the address they call from.')
}
