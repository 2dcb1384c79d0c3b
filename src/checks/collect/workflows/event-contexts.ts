/** Whose text a context of GitHub holds, where it may be text that a shell would read as more than a word. */
export type Author =
  /** Of anybody, without any right to the repository. */
  | 'anybody'
  /** Of people who may write to it, or whom they let. */
  | 'members'

// Titles, bodies, names of branches, of authors: after "Understanding the risk of script injections" of GitHub's documentation and the
// fields of its webhook events. Names of accounts and repositories, digests, numbers, dates and addresses hold no sign that a shell
// reads, and are not here.
const commit = ['message', 'author.name', 'author.email', 'committer.name', 'committer.email']
const repository = ['default_branch', 'description', 'homepage']
const branch = ['ref', 'label', ...repository.map((name) => `repo.${name}`)]
const under = (root: string, names: readonly string[]): readonly string[] => names.map((name) => `${root}.${name}`)

const ofAnybody: readonly string[] = [
  'github.head_ref',
  ...under('github.event', [
    ...under('pull_request', ['title', 'body', ...under('head', branch)]),
    ...under('issue', ['title', 'body']),
    ...under('comment', ['body']),
    ...under('review', ['body']),
    ...under('review_comment', ['body']),
    ...under('discussion', ['title', 'body']),
    ...under('answer', ['body']),
    ...under('changes.title', ['from']),
    ...under('changes.body', ['from']),
    ...under('changes.new_issue', ['title', 'body']),
    ...under('changes.old_issue', ['title', 'body']),
    ...under('pages.*', ['page_name', 'title', 'summary']),
    ...under('commits.*', commit),
    ...under('head_commit', commit),
    ...under('merge_group.head_commit', commit),
    ...under('forkee', repository),
    ...under('release', ['body']),
    ...under('workflow_run', [
      'head_branch',
      'display_title',
      ...under('head_commit', commit),
      ...under('head_repository', repository),
      ...under('pull_requests.*.head', ['ref']),
    ]),
    ...under('check_run', [
      'check_suite.head_branch',
      ...under('check_suite.pull_requests.*.head', ['ref']),
      ...under('pull_requests.*.head', ['ref']),
    ]),
    ...under('check_suite', [
      'head_branch',
      ...under('head_commit', commit),
      ...under('pull_requests.*.head', ['ref']),
    ]),
  ]),
]

const ofMembers: readonly string[] = [
  'github.ref',
  'github.ref_name',
  'github.base_ref',
  'github.workflow_ref',
  ...under('github.event', [
    'ref',
    'base_ref',
    'client_payload.*',
    'label.name',
    'label.description',
    ...under('pull_request', ['base.ref', 'base.label', 'labels.*.name', 'milestone.title', 'milestone.description']),
    ...under('issue', ['labels.*.name', 'milestone.title', 'milestone.description']),
    ...under('release', ['name', 'tag_name', 'target_commitish']),
    ...under('deployment', ['ref', 'description', 'environment', 'payload', 'task']),
    ...under('deployment_status', ['description', 'environment']),
    ...under('milestone', ['title', 'description']),
    ...under('merge_group', ['base_ref', 'head_ref']),
  ]),
]

const rows = [
  ...ofAnybody.map((name) => ({ author: 'anybody' as const, pattern: name.split('.') })),
  ...ofMembers.map((name) => ({ author: 'members' as const, pattern: name.split('.') })),
]

/**
 * The author of the text of a context; undefined where it is plain. `whole`: an object is written out with all its fields, so that one
 * of them is enough.
 */
export function authorOf(path: readonly string[], whole: boolean): Author | undefined {
  if (path[0] !== 'github') return undefined
  return rows.find(({ pattern }) => {
    // Of `client_payload` everything below it is text.
    if (!whole && path.length < pattern.length) return false
    if (path.length > pattern.length && pattern.at(-1) !== '*') return false
    return path.every((name, index) => index >= pattern.length || matches(pattern[index] ?? '', name))
  })?.author
}

function matches(pattern: string, name: string): boolean {
  if (name === '?' || pattern === name) return true
  return pattern === '*'
}
