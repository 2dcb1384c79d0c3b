import { commandLineId, platformAdminScopes, type Tenant } from '#core'
import type { AppDirectory, AppRecord } from './ports.ts'

/**
 * The apps, and one that every deployment has: the command line, a public client of nobody's (RFC 8252). A token that it gets can do
 * what the person can who signed in, and never more.
 */
export function withCommandLine(apps: AppDirectory, tenant: () => Tenant | undefined): AppDirectory {
  const scopes = new Set(platformAdminScopes)
  const commandLine = (): AppRecord | undefined => {
    const home = tenant()
    if (home === undefined) return undefined
    return {
      id: commandLineId,
      name: 'Portcullis command line',
      tenant: home,
      agent: undefined,
      scopes,
      // Its listener has whatever port is free.
      redirectUris: ['http://127.0.0.1/callback'],
      grantTypes: ['authorization_code', 'refresh_token'],
      authMethod: 'none',
      jwksJson: undefined,
      tlsSubjectDn: undefined,
      dpopBound: false,
      certificateBound: false,
      secrets: [],
      disabled: false,
      tenantDisabled: false,
    }
  }
  return { find: (id) => (id === commandLineId ? commandLine() : apps.find(id)) }
}
