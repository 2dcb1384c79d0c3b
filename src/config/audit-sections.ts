import { checkpoints } from './checkpoint-sections.ts'
import { section, requiredText } from './fields.ts'
import { retention } from './retention-sections.ts'
import { sinks } from './sink-sections.ts'

/** Each part of it has a file of its own. */
export const audit = section('The ledger: how long it is kept, who signs it, and where copies of it go.', {
  origin: requiredText(
    'The host that names this deployment to the outside: the origin of a log is `<host>/<log>`. It stays for good.',
  ).default('localhost'),
  sinks,
  checkpoints,
  retention,
})
