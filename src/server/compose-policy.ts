import type { Logger } from 'pino'
import type { Config } from '#config'
import type { Clock, ServiceActions } from '#core'
import type { Decider } from '#hub'
import type { Writer } from '#store'
import { configRecord } from './config-record.ts'
import { showPolicyProblem } from './policy/commands.ts'
import { FinePolicy, type InForce } from './policy/fine-policy.ts'
import { questionOfCheck } from './policy/question.ts'
import { StartError } from './start-error.ts'

interface PolicyInput {
  readonly config: Config
  readonly services: ServiceActions
  readonly writer: Pick<Writer, 'submit'>
  readonly clock: Clock
  readonly log: Logger
}

const lookEveryMs = 1000

/** The policies of the settings, not in force yet: see `startPolicy`. */
export function composePolicy({ config, services, writer, clock, log }: PolicyInput): FinePolicy | undefined {
  const dir = config.policy.cedarDir
  if (dir === undefined) return undefined
  const activated = ({ digest, policies, warnings }: InForce): void => {
    for (const warning of warnings)
      log.warn({ event: 'policy.warning', problem: showPolicyProblem(warning) }, 'a policy may not do what it says')
    log.info({ event: 'policy.activated', digest, policies }, 'policies in force')
    const record = configRecord(['policy.cedarDir'], clock.now(), { digest, policies })
    writer
      .submit({ tenantId: undefined, record: () => record })
      .catch((error: unknown) =>
        log.error({ event: 'config.unrecorded', err: error }, 'policies are in force, and the ledger does not say so'),
      )
  }
  return new FinePolicy({
    dir,
    services,
    clock,
    lookEveryMs,
    activated,
    refused: (problems) =>
      log.error(
        { event: 'policy.refused', problems: problems.map(showPolicyProblem) },
        'the edited policies were not taken over: those before stay in force',
      ),
  })
}

/** Puts the first set in force, or refuses the start with every problem of it. */
export async function startPolicy(policy: FinePolicy | undefined): Promise<void> {
  const started = await policy?.start()
  if (started === undefined || started.ok) return
  throw new StartError(
    'the policies cannot be used',
    started.problems.map((each) => `policy.cedarDir: ${showPolicyProblem(each)}`),
  )
}

/** The decider, with what the policies say where the scopes allow. Its epoch changes with them. */
export function withPolicy(decider: Decider, policy: FinePolicy | undefined, clock: Clock): Decider {
  if (policy === undefined) return decider
  return {
    ...decider,
    epoch: () => `${decider.epoch()}-${policy.digest.slice(0, 12)}`,
    fine: (asked) => policy.ask(questionOfCheck(asked, clock.now())),
  }
}
