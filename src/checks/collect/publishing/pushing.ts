import { publishingActions } from './publishing-facts.ts'
import type { Scripts } from '../shell/called-scripts.ts'
import type { Parsed, Spot } from '../source-file.ts'
import { callsOf, type Call, type Unread } from '../shell/step-calls.ts'
import { actionOf, inputOf, localAction } from '../workflows/uses.ts'
import type { Action, Job, Step, Workflow } from '../workflows/workflows.ts'
import { skipOptions } from '../shell/wrappers.ts'

/** Something in a job that needs the credentials which a checkout leaves, or may need them. */
export interface CredentialUse {
  readonly kind: 'push' | 'maybe' | 'fetch'
  /** What it is, for a sentence: `make release`. */
  readonly what: string
  readonly spot: Spot
  /** The folder whose repository it is; undefined where nobody can tell. */
  readonly folder: string | undefined
}

// They commit and push with what the checkout left, or push themselves.
const pushingActions = new Set([
  'ad-m/github-push-action',
  'actions-js/push',
  'anothrnick/github-tag-action',
  'changesets/action',
  'commitizen-tools/commitizen-action',
  'cpina/github-action-push-to-another-repository',
  'crazy-max/ghaction-github-pages',
  'creyd/prettier_action',
  'crowdin/github-action',
  'cycjimmy/semantic-release-action',
  'determinatesystems/update-flake-lock',
  'endbug/add-and-commit',
  'github-actions-x/commit',
  'gr2m/create-or-update-pull-request-action',
  'helm/chart-releaser-action',
  'jamesives/github-pages-deploy-action',
  'korthout/backport-action',
  'marcoieni/release-plz-action',
  'peaceiris/actions-gh-pages',
  'peter-evans/create-pull-request',
  'phips28/gh-action-bump-version',
  'python-semantic-release/python-semantic-release',
  'relekang/python-semantic-release',
  'release-plz/action',
  'rickstaa/action-create-tag',
  'rubygems/release-gem',
  's0/git-publish-subdir-action',
  'stefanzweifel/git-auto-commit-action',
  'tripss/conventional-changelog-action',
  'wearerequired/lint-action',
  'zeebe-io/backport-action',
])
// They push if the input says so.
const pushingInputs = new Map([
  ['benchmark-action/github-action-benchmark', 'auto-push'],
  ['terraform-docs/gh-actions', 'git-push'],
])

// They look at branches or history from the remote.
const fetchingActions = new Set([
  'dorny/paths-filter',
  'nrwl/nx-set-shas',
  'tj-actions/changed-files',
  'step-security/changed-files',
  'technote-space/get-diff-action',
])

interface Context {
  readonly scripts: Scripts
  readonly actions: readonly Parsed<Action>[]
  /** Where the step runs. */
  readonly folder: string | undefined
}

/** What in a step uses the credentials of a checkout before it. */
export function credentialUsesOf(step: Step, context: Context): readonly CredentialUse[] {
  const { uses } = step
  if (uses?.kind === 'local') {
    const action = localAction(uses, context.actions)
    if (action === undefined) return [{ kind: 'maybe', what: uses.path, spot: uses.node, folder: undefined }]
    return ofAction(action, context).map((use) => ({ ...use, spot: uses.node }))
  }
  const name = actionOf(uses)
  if (name !== undefined && uses !== undefined) {
    const input = pushingInputs.get(name)
    if (pushingActions.has(name) || (input !== undefined && (inputOf(step, input) ?? 'false') !== 'false'))
      return [{ kind: 'push', what: name, spot: uses.node, folder: actionFolder(step) }]
    if (speaksOfPushing(name)) return [{ kind: 'maybe', what: name, spot: uses.node, folder: undefined }]
    if (fetchingActions.has(name)) return [{ kind: 'fetch', what: name, spot: uses.node, folder: undefined }]
    return []
  }
  const { calls, unread } = callsOf(step, context.scripts, context.folder)
  return [...calls.flatMap((call) => usesOfCall(call)), ...unread.flatMap((each) => usesOfUnread(each))]
}

// An action that nobody here knows and whose name says that it writes to a repository.
function speaksOfPushing(name: string): boolean {
  const writes =
    /(?<![a-z])(?:push|auto-?commit|commit-and|bump|gh-pages|github-pages|backport|cherry-pick|git-sync|create-tag|auto-?format|auto-?fix)(?![a-z])/
  const elsewhere =
    /docker|image|registry|\becr\b|helm|\boci\b|nuget|pypi|npm|notif|pushover|slack|deploy-pages|configure-pages/
  return writes.test(name) && !elsewhere.test(name) && !publishingActions.has(name)
}

const ofActions = new WeakMap<Action, readonly CredentialUse[]>()

// Each action once: they can use one another, and themselves. Of the same kind in the same folder one says enough.
function ofAction(action: Action, context: Context): readonly CredentialUse[] {
  const seen = ofActions.get(action)
  if (seen !== undefined) return seen
  ofActions.set(action, [])
  const all = action.steps.flatMap((inner) => credentialUsesOf(inner, { ...context, folder: folderOf(inner, '.') }))
  const found = [...new Map(all.map((use) => [`${use.kind} ${use.folder}`, use])).values()]
  ofActions.set(action, found)
  return found
}

/** Where the `run` of a step starts, from the workspace: its own working directory, or that of the job or the workflow. */
export function workingFolder(step: Step, job: Job, workflow: Workflow): string | undefined {
  const common = [job.node, workflow.root]
    .map((node) => node.map('defaults')?.map('run')?.text('working-directory'))
    .find((folder) => folder !== undefined)
  return folderOf(step, common ?? '.')
}

function folderOf({ node }: Step, otherwise: string): string | undefined {
  const folder = node.text('working-directory') ?? otherwise
  const plain = folder.replace(/^\$\{\{\s*github\.workspace\s*\}\}\/?/, './')
  return plain.includes('${{') || plain.startsWith('/') ? undefined : plain
}

function actionFolder(step: Step): string | undefined {
  const given = ['path', 'cwd', 'working-directory', 'working_directory', 'workdir', 'repository'].map((name) =>
    inputOf(step, name),
  )
  const folder =
    given.find((each) => each !== undefined && !/^[\w.-]+\/[\w.-]+$/.test(each)) ?? given.find(Boolean) ?? '.'
  return folder.includes('${{') ? undefined : folder
}

function usesOfCall(call: Call): readonly CredentialUse[] {
  const { name, args, spot, folder } = call
  if (name === 'git') {
    const { verb, rest, folder: own } = gitCommand(args, folder)
    if (verb === 'push' || verb === 'send-pack' || ((verb === 'subtree' || verb === 'lfs') && rest[0] === 'push'))
      return [{ kind: 'push', what: 'git push', spot, folder: own }]
    if (verb !== undefined && verb.startsWith('$')) return [{ kind: 'maybe', what: `git ${verb}`, spot, folder: own }]
    if (isFetch(verb, rest)) return [{ kind: 'fetch', what: `git ${verb}`, spot, folder: own }]
    return []
  }
  const pushes = pushingTools[name]?.(args)
  return pushes === undefined || pushes === false
    ? []
    : [{ kind: pushes === true ? 'push' : pushes, what: name, spot, folder }]
}

function isFetch(verb: string | undefined, rest: readonly string[]): boolean {
  if (verb === 'submodule') return rest.includes('update')
  if (verb === 'remote') return rest[0] === 'update' || rest[0] === 'show'
  if (verb === 'lfs') return rest[0] === 'pull' || rest[0] === 'fetch'
  return verb === 'fetch' || verb === 'pull' || verb === 'ls-remote'
}

function gitCommand(
  args: readonly string[],
  folder: string | undefined,
): { readonly verb: string | undefined; readonly rest: readonly string[]; readonly folder: string | undefined } {
  const valued = ['-C', '-c', '--git-dir', '--work-tree', '--namespace', '--exec-path', '--config-env']
  const at = skipOptions(args, valued)
  const into = args.slice(0, at).findIndex((arg) => arg === '-C')
  const target = into === -1 ? undefined : args[into + 1]
  const own =
    into === -1
      ? folder
      : target === undefined || folder === undefined || /[$~]|^\//.test(target)
        ? undefined
        : `${folder}/${target}`
  return { verb: args[at], rest: args.slice(at + 1), folder: own }
}

type Verdict = boolean | 'maybe'
const has = (args: readonly string[], ...words: readonly string[]): boolean => words.some((word) => args.includes(word))
const unlessDry = (args: readonly string[]): Verdict => !has(args, '--dry-run', '-d', '--no-push', '--help')

// Programs that push of themselves.
const pushingTools: Readonly<Record<string, (args: readonly string[]) => Verdict>> = Object.assign(
  Object.create(null) as Record<string, (args: readonly string[]) => Verdict>,
  {
    'semantic-release': unlessDry,
    'multi-semantic-release': unlessDry,
    'release-it': unlessDry,
    np: unlessDry,
    'ghp-import': (args: readonly string[]) => has(args, '-p', '--push') || args.some((arg) => /^-\w*p/.test(arg)),
    'gh-pages': unlessDry,
    'angular-cli-ghpages': unlessDry,
    lerna: (args: readonly string[]) =>
      has(args, 'version', 'publish') && !has(args, '--no-push', 'from-package', 'from-git', '--no-git-tag-version'),
    nx: (args: readonly string[]) => (has(args, 'release') && !has(args, '--dry-run', 'publish') ? 'maybe' : false),
    auto: (args: readonly string[]) => has(args, 'shipit', 'release', 'version', 'changelog', 'latest', 'canary'),
    beachball: (args: readonly string[]) => has(args, 'publish', 'sync') && !has(args, '--no-push'),
    rush: (args: readonly string[]) =>
      has(args, 'publish', 'version') && (has(args, '--target-branch', '-b', '-p') || 'maybe'),
    cargo: (args: readonly string[]) =>
      (args[0] === 'release' && has(args, '--execute', '-x') && !has(args, '--no-push')) ||
      (has(args, 'workspaces', 'ws') &&
        has(args, 'publish', 'version') &&
        !has(args, '--no-git-push', '--no-git-commit')),
    mkdocs: (args: readonly string[]) => has(args, 'gh-deploy'),
    mike: (args: readonly string[]) => has(args, '--push', '-p'),
    docusaurus: (args: readonly string[]) => has(args, 'deploy'),
    cr: (args: readonly string[]) => has(args, '--push', '--pr'),
    mvn: (args: readonly string[]) => args.some((arg) => /^release:(?:prepare|perform|clean)|^scm:checkin/.test(arg)),
    rake: (args: readonly string[]) => has(args, 'release', 'release:source_control_push'),
    jj: (args: readonly string[]) => has(args, 'git') && has(args, 'push'),
  },
)

// Only a name that speaks of it makes a task suspicious: else every `make test` would be.
function usesOfUnread({ what, spot, text }: Unread): readonly CredentialUse[] {
  const pushes = text === undefined ? undefined : /\bgit\b[^\n]*\bpush\b/.test(text)
  // `${PYTHON_VERSION}` is no name.
  const literal = what.replaceAll(/\$\{\{.*?\}\}|\$\{[^}]*\}|\$\w+/g, '')
  const named =
    /(?<![a-z])(?:release|publish|deploy|push|bump|version|sync|commit|tag|changelog|update)/i.test(literal) ||
    /(?:Release|Publish|Deploy|Push|Bump|Version|Commit)/.test(literal)
  return pushes === true || (pushes === undefined && named) ? [{ kind: 'maybe', what, spot, folder: undefined }] : []
}
