/** The services of the contract by their names without its package; a test holds the list to the contract. */
export const guardedServices: readonly string[] = [
  'AuthorizationService',
  'BudgetService',
  'CostService',
  'HubService',
  'IdentityService',
  'JobsService',
  'KillService',
  'LedgerService',
  'OpsService',
  'PolicyService',
  'PostureService',
  'TenantService',
]
