import type { MapValue } from '../../collect/values/value.ts'

// Outputs that hold names of files, branches or texts which the author of a pull request or an issue chose.
const outputs: ReadonlyMap<string, RegExp> = new Map([
  ['ahmadnassri/action-changed-files', /^(?:files|json)$/],
  ['alessbell/pull-request-comment-branch', /^head_ref$/],
  ['cssnr/parse-issue-form-action', /./],
  ['dorny/paths-filter', /_files$/],
  ['eficode/resolve-pr-refs', /^head_ref$/],
  ['gotson/pull-request-comment-branch', /^head_ref$/],
  ['jitterbit/get-changed-files', /./],
  ['khan/pull-request-comment-trigger', /^comment_body$/],
  ['lots0logs/gh-action-get-changed-files', /./],
  ['peter-evans/find-comment', /^comment-body$/],
  ['peter-murray/issue-body-parser-action', /./],
  ['potiuk/get-workflow-origin', /^sourceheadbranch$/],
  ['stefanbuck/github-issue-parser', /./],
  ['tj-actions/branch-names', /branch$/],
  ['tj-actions/changed-files', /_files$/],
  ['trilom/file-changes-action', /^files/],
  ['xt0rted/pull-request-comment-branch', /^head_ref$/],
  ['xt0rted/slash-command-action', /^command-arguments$/],
  ['zentered/issue-forms-body-parser', /./],
])

// Their output is made of what they are given.
const passing = new Set([
  'actions/github-script',
  'ad-m/report-action',
  'ashley-taylor/regex-property-action',
  'frabert/replace-string-action',
  'jungwinter/split',
  'kaisugi/action-regex-match',
  'actions-ecosystem/action-regex-match',
  'mad9000/actions-find-and-replace-string',
])

export function isForeignOutput(action: string, output: string): boolean {
  return outputs.get(action.toLowerCase())?.test(output) === true
}

/** The inputs that come out again. */
export function passedThrough(action: string, step: MapValue): MapValue | undefined {
  return passing.has(action.toLowerCase()) ? step.map('with') : undefined
}
