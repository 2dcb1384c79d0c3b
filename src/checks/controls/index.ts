import type { Control } from '../check.ts'
import { noDdlAtStart } from './database.no-ddl-at-start/control.ts'
import { typedWrites } from './contract.typed-writes/control.ts'
import { retentionPolicies } from './audit.retention-policies/control.ts'
import { appendOnlyTables } from './audit.append-only-tables/control.ts'
import { actionsPinned } from './supply.actions-pinned/control.ts'
import { loopbackListeners } from './edge.loopback-listeners/control.ts'
import { reflectionOff } from './edge.reflection-off/control.ts'
import { checkoutCredentials } from './supply.checkout-credentials/control.ts'
import { sourceLints } from './code.source-lints/control.ts'
import { scriptsGuarded } from './ops.scripts-guarded/control.ts'
import { nonRoot } from './containers.non-root/control.ts'
import { readOnlyRoot } from './containers.read-only-root/control.ts'
import { capabilitiesDropped } from './containers.capabilities-dropped/control.ts'
import { noNewPrivileges } from './containers.no-new-privileges/control.ts'
import { portsOnLoopback } from './network.ports-on-loopback/control.ts'
import { databaseCredentials } from './database.credentials-are-secrets/control.ts'
import { databaseNotPublished } from './database.not-published/control.ts'
import { grpcOverTls } from './proxy.grpc-over-tls/control.ts'
import { hsts } from './proxy.hsts/control.ts'
import { noSecrets } from './secrets.not-in-repository/control.ts'
import { imagesPinned } from './supply.images-pinned/control.ts'
import { leastPermissions } from './supply.least-permissions/control.ts'
import { noTemplateInjection } from './supply.no-template-injection/control.ts'
import { noUntrustedCheckout } from './supply.no-untrusted-checkout/control.ts'
import { secretsNotInherited } from './supply.secrets-not-inherited/control.ts'
import { appTokenScope } from './supply.app-token-scope/control.ts'
import { releaseCache } from './supply.release-cache/control.ts'
import { releaseConcurrency } from './supply.release-concurrency/control.ts'
import { trustedPublishing } from './supply.trusted-publishing/control.ts'
import { updateSoak } from './supply.update-soak/control.ts'
import { exactTools } from './supply.exact-tools/control.ts'
import { pythonHashes } from './supply.python-hashes/control.ts'
import { lockedPythonTools } from './supply.locked-python-tools/control.ts'
import { keptCurrent } from './supply.kept-current/control.ts'
import { installScript } from './supply.install-script/control.ts'

/** Every control, in the order of `verify list`. */
export const controls: readonly Control[] = [
  checkoutCredentials,
  releaseConcurrency,
  exactTools,
  appTokenScope,
  updateSoak,
  keptCurrent,
  installScript,
  pythonHashes,
  lockedPythonTools,
  noSecrets,
  nonRoot,
  readOnlyRoot,
  capabilitiesDropped,
  noNewPrivileges,
  portsOnLoopback,
  databaseCredentials,
  databaseNotPublished,
  grpcOverTls,
  hsts,
  sourceLints,
  scriptsGuarded,
  actionsPinned,
  leastPermissions,
  imagesPinned,
  secretsNotInherited,
  noTemplateInjection,
  noUntrustedCheckout,
  trustedPublishing,
  releaseCache,
  loopbackListeners,
  reflectionOff,
  appendOnlyTables,
  retentionPolicies,
  typedWrites,
  noDdlAtStart,
]
