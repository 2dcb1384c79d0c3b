import { scopes as ownScopes } from '#core'
import type { ProviderParts } from './provider-settings.ts'

const proofAlgorithms = ['ES256', 'RS256', 'PS256']

/** What the metadata say beside what the library knows (RFC 8414, RFC 8705). */
export function metadataExtras({ issuer, mtlsOrigin }: Pick<ProviderParts, 'issuer' | 'mtlsOrigin'>): object {
  const mtls = mtlsOrigin()
  const at = (path: string): string => `${mtls ?? ''}${path}`
  return {
    scopes_supported: ['openid', 'offline_access', ...ownScopes.keys()],
    response_modes_supported: ['query'],
    userinfo_endpoint: `${issuer}/v1/oauth/userinfo`,
    ...(mtls === undefined
      ? {}
      : {
          mtls_endpoint_aliases: {
            token_endpoint: at('/v1/oauth/token'),
            revocation_endpoint: at('/v1/oauth/revoke'),
            introspection_endpoint: at('/v1/oauth/introspect'),
            pushed_authorization_request_endpoint: at('/v1/oauth/par'),
            userinfo_endpoint: at('/v1/oauth/userinfo'),
          },
        }),
  }
}

/** What resource this server is, and who gives tokens for it (RFC 9728). */
export function resourceMetadata(issuer: string): object {
  return {
    resource: issuer,
    authorization_servers: [issuer],
    scopes_supported: [...ownScopes.keys()],
    bearer_methods_supported: ['header'],
    resource_name: 'Portcullis',
    dpop_signing_alg_values_supported: proofAlgorithms,
    dpop_bound_access_tokens_required: false,
    tls_client_certificate_bound_access_tokens: true,
  }
}
