import { actionOf, inputOf, majorOf } from '../../collect/workflows/uses.ts'
import type { Step } from '../../collect/workflows/workflows.ts'
import { doubtful, failing, type Evidence } from '../../evidence.ts'
import { setEntry } from '../../fix/edits.ts'
import { expressionsIn } from '../../collect/workflows/expressions.ts'

interface AppTokenAction {
  readonly permissions: (step: Step) => boolean
  readonly permissionInput: string
  /** The input with the repositories; absent where the action cannot be told. */
  readonly repositories?: string
  /** Inputs that take the token to a whole owner. */
  readonly owners: readonly string[]
  /** Without any of them it reaches only the repository that the workflow runs in; undefined where the version decides and is not known. */
  readonly ownRepositoryByDefault: (step: Step) => boolean | undefined
}

const tokenActions: ReadonlyMap<string, AppTokenAction> = new Map<string, AppTokenAction>([
  [
    'actions/create-github-app-token',
    {
      permissions: ({ node }) =>
        node.map('with')?.entries.some(({ key }) => key.text.startsWith('permission-')) ?? false,
      permissionInput: 'permission-…',
      repositories: 'repositories',
      owners: ['owner', 'enterprise'],
      ownRepositoryByDefault: () => true,
    },
  ],
  [
    'tibdex/github-app-token',
    {
      permissions: (step) => inputOf(step, 'permissions') !== undefined,
      permissionInput: 'permissions',
      repositories: 'repositories',
      owners: ['installation_retrieval_payload'],
      ownRepositoryByDefault: (step) => {
        const version = majorOf(step)
        return version === undefined ? undefined : version < 2
      },
    },
  ],
  [
    'peter-murray/workflow-application-token-action',
    {
      permissions: (step) => inputOf(step, 'permissions') !== undefined,
      permissionInput: 'permissions',
      owners: ['organization'],
      ownRepositoryByDefault: () => false,
    },
  ],
  [
    'getsentry/action-github-app-token',
    {
      permissions: () => false,
      permissionInput: 'permissions',
      owners: ['scope'],
      ownRepositoryByDefault: () => false,
    },
  ],
])

export function isAppToken({ uses }: Step): boolean {
  return tokenActions.has(actionOf(uses) ?? '')
}

/** What is too wide about a token. */
export function scopeFindings(step: Step): readonly Evidence[] {
  const action = tokenActions.get(actionOf(step.uses) ?? '')
  if (action === undefined || step.uses === undefined) return []
  return [...repositoryFindings(step, action), ...permissionFindings(step, action)]
}

function repositoryFindings(step: Step, action: AppTokenAction): readonly Evidence[] {
  const { node, uses } = step
  if (uses === undefined) return []
  const settings = node.map('with')
  if (action.repositories === undefined) {
    const detail = 'This action cannot limit the token to a repository: it reaches all that the app is installed on.'
    return [failing(uses.node, detail, { subject: `${uses.node.text} repositories` })]
  }
  const named = settings?.scalar(action.repositories)
  const names = (named?.text ?? '').split(/[\s,[\]"']+/).filter((name) => name !== '')
  if (named !== undefined && named.text.includes('${{')) return expressionFindings(named)
  if (named !== undefined && names.length === 1) return []
  if (named !== undefined && names.length > 1)
    return [
      failing(
        named,
        `One token reaches ${names.length} repositories (${names.slice(0, 5).join(', ')}): ask for one token each.`,
      ),
    ]
  const owner = action.owners.map((name) => settings?.entry(name)).find((entry) => entry !== undefined)
  if (owner !== undefined)
    return [
      failing(
        owner.value,
        `With \`${owner.key.text}\` and no \`${action.repositories}\` the token reaches every repository of the installation.`,
      ),
    ]
  const own = action.ownRepositoryByDefault(step)
  const subject = `${uses.node.text} repositories`
  if (own === undefined) {
    const detail =
      'The token names no repository: by the version of the action it reaches one, or all of the installation.'
    return [doubtful(uses.node, detail, { subject, confidence: 'medium' })]
  }
  const detail = own
    ? `The token names no repository: it reaches the one it runs in only because nothing else is set.`
    : 'The token names no repository: it reaches every repository of the installation.'
  const edits = own ? setEntry(node, ['with', action.repositories], '${{ github.event.repository.name }}') : []
  const fix =
    edits.length === 0
      ? undefined
      : ({ safety: 'safe', description: 'Name the repository that the workflow runs in', edits } as const)
  return [failing(uses.node, detail, { subject, confidence: own ? 'medium' : 'high', fix })]
}

// `matrix.repository` is one for each run of the job; a list may stand in anything else.
function expressionFindings(
  named: NonNullable<ReturnType<NonNullable<ReturnType<Step['node']['map']>>['scalar']>>,
): readonly Evidence[] {
  const found = expressionsIn(named.text)
  const [only] = found
  const whole = found.length === 1 && only?.start === 0 && only.end === named.text.trim().length
  if (
    whole &&
    only.expression?.kind === 'context' &&
    /^(?:matrix\.[\w-]+|github\.event\.repository\.name)$/.test(only.expression.path.join('.'))
  )
    return []
  if (found.length > 1 || /[,\n]/.test(named.text.replaceAll(/\$\{\{.*?\}\}/gs, '').trim()))
    return [failing(named, 'One token reaches several repositories: ask for one token each.')]
  return [doubtful(named, 'Whether the token reaches one repository depends on an expression.', { confidence: 'low' })]
}

function permissionFindings(step: Step, action: AppTokenAction): readonly Evidence[] {
  if (action.permissions(step) || step.uses === undefined) return []
  const detail = `The token names no permissions (\`${action.permissionInput}\`): it has all that the installation has.`
  return [failing(step.uses.node, detail, { subject: `${step.uses.node.text} permissions` })]
}
