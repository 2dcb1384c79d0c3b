import type { ScalarValue } from '../../collect/values/value.ts'
import type { Job, Step } from '../../collect/workflows/workflows.ts'

// Inputs of actions that are run as code: after CodeQL's models of actions and the documentation of each. A path or an argument that
// an action passes on as such is none, as `context` of docker/build-push-action.
const codeInputs: ReadonlyMap<string, readonly string[]> = new Map([
  ['actions/github-script', ['script']],
  ['addnab/docker-run-action', ['run']],
  ['amadevus/pwsh-script', ['script']],
  ['appleboy/ssh-action', ['script']],
  ['azure/cli', ['inlinescript']],
  ['azure/powershell', ['inlinescript']],
  ['cardinalby/js-eval-action', ['expression']],
  ['cross-platform-actions/action', ['run']],
  ['devorbitus/yq-action-output', ['cmd']],
  ['fifsky/ssh-action', ['command']],
  ['garygrossgarten/github-action-ssh', ['command']],
  ['jannekem/run-python-script-action', ['script']],
  ['mikefarah/yq', ['cmd']],
  ['nick-fields/retry', ['command', 'on_retry_command', 'new_command_on_retry']],
  ['nick-invision/retry', ['command', 'on_retry_command', 'new_command_on_retry']],
  ['reactivecircus/android-emulator-runner', ['script', 'pre-emulator-launch-script']],
  ['sergeysova/jq-action', ['cmd']],
  ['uraimo/run-on-arch-action', ['run', 'install', 'setup']],
  ['vmactions/freebsd-vm', ['run', 'prepare']],
  ['vmactions/netbsd-vm', ['run', 'prepare']],
  ['vmactions/openbsd-vm', ['run', 'prepare']],
  ['workflow/nix-shell-action', ['script']],
])

/** The texts of a step that are run as code. */
export function codeOf({ node, uses, run }: Step): readonly ScalarValue[] {
  if (run !== undefined) return [run]
  if (uses?.kind !== 'repository') return []
  const names = codeInputs.get(uses.name.toLowerCase())
  if (names === undefined) return []
  return (node.map('with')?.entries ?? []).flatMap(({ key, value }) =>
    value.kind === 'scalar' && names.includes(key.text.toLowerCase()) ? [value] : [],
  )
}

/** The texts of a job that decide what its steps are run by and in. */
export function settingsOf({ node }: Job): readonly ScalarValue[] {
  const containers = [node.get('container'), ...(node.map('services')?.entries ?? []).map(({ value }) => value)]
  const options = containers.map((each) => (each?.kind === 'map' ? each.scalar('options') : undefined))
  return [node.map('defaults')?.map('run')?.scalar('shell'), ...options].filter((each) => each !== undefined)
}
