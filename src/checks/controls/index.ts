import type { Control } from '../check.ts'
import { noCheckoutCredentials } from './supply.no-checkout-credentials/control.ts'
import { releasesSerial } from './supply.releases-serial/control.ts'
import { toolsPinned } from './supply.tools-pinned/control.ts'
import { appTokensScoped } from './supply.app-tokens-scoped/control.ts'
import { updatesSoaked } from './supply.updates-soaked/control.ts'
import { pythonPackagesHashed } from './supply.python-packages-hashed/control.ts'
import { pinsCurrent } from './supply.pins-current/control.ts'
import { installWithoutToken } from './supply.install-without-token/control.ts'
import { noSecrets } from './secrets.not-in-repository/control.ts'
import { nonRoot } from './containers.non-root/control.ts'
import { readOnlyRoot } from './containers.read-only-root/control.ts'
import { capabilitiesDropped } from './containers.capabilities-dropped/control.ts'
import { noNewPrivileges } from './containers.no-new-privileges/control.ts'
import { portsOnLoopback } from './network.ports-on-loopback/control.ts'
import { credentialsFromSecrets } from './database.credentials-from-secrets/control.ts'
import { databaseNotPublished } from './database.not-published/control.ts'
import { grpcOverTls } from './proxy.grpc-over-tls/control.ts'
import { hstsOn } from './proxy.hsts-on/control.ts'
import { noDdlAtStart } from './database.no-ddl-at-start/control.ts'
import { tablesAppendOnly } from './audit.tables-append-only/control.ts'
import { retentionSet } from './audit.retention-set/control.ts'
import { lintsClean } from './code.lints-clean/control.ts'
import { scriptsGuarded } from './ops.scripts-guarded/control.ts'
import { pythonToolsLocked } from './supply.python-tools-locked/control.ts'
import { actionsPinned } from './supply.actions-pinned/control.ts'
import { leastPermissions } from './supply.least-permissions/control.ts'
import { imagesPinned } from './supply.images-pinned/control.ts'
import { secretsNotInherited } from './supply.secrets-not-inherited/control.ts'
import { noTemplateInjection } from './supply.no-template-injection/control.ts'
import { noUntrustedCheckout } from './supply.no-untrusted-checkout/control.ts'
import { trustedPublishing } from './supply.trusted-publishing/control.ts'
import { releasesUncached } from './supply.releases-uncached/control.ts'
import { writesTyped } from './contract.writes-typed/control.ts'
import { listenersOnLoopback } from './edge.listeners-on-loopback/control.ts'
import { reflectionOff } from './edge.reflection-off/control.ts'
import { legacyTokenOff } from './access.legacy-token-off/control.ts'

/** Every control, in the order of `verify list`: that of the checks of files, then those that have none. */
export const controls: readonly Control[] = [
  noCheckoutCredentials,
  releasesSerial,
  toolsPinned,
  appTokensScoped,
  updatesSoaked,
  pythonPackagesHashed,
  pinsCurrent,
  installWithoutToken,
  noSecrets,
  nonRoot,
  readOnlyRoot,
  capabilitiesDropped,
  noNewPrivileges,
  portsOnLoopback,
  credentialsFromSecrets,
  databaseNotPublished,
  grpcOverTls,
  hstsOn,
  noDdlAtStart,
  tablesAppendOnly,
  retentionSet,
  lintsClean,
  scriptsGuarded,
  pythonToolsLocked,
  actionsPinned,
  leastPermissions,
  imagesPinned,
  secretsNotInherited,
  noTemplateInjection,
  noUntrustedCheckout,
  trustedPublishing,
  releasesUncached,
  writesTyped,
  listenersOnLoopback,
  reflectionOff,
  legacyTokenOff,
]
