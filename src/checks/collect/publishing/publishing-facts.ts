import { inputOf } from '../workflows/uses.ts'
import { skipOptions } from '../shell/wrappers.ts'
import type { Step } from '../workflows/workflows.ts'

/** Public registries that take a short-lived identity in the place of a token. */
export type Registry = 'npm' | 'PyPI' | 'crates.io' | 'RubyGems' | 'NuGet' | 'JSR'

/** What a known action or program publishes. */
export interface Publishes {
  readonly kind: 'package' | 'release' | 'image' | 'deployment'
  /** Where a package goes, unless `target` or a setting says otherwise. */
  readonly registry?: Registry
  /** Whether it goes to that registry at all depends on settings of the tool: a token for it says that it does. */
  readonly implied?: boolean
  /** The address or name of a registry that is given outright. */
  readonly target?: string | undefined
  /** False where an expression decides whether it happens. */
  readonly certain?: boolean
}

type ActionFact = (step: Step) => Publishes | undefined
type ProgramFact = (args: readonly string[]) => Publishes | undefined

const always =
  (publishes: Publishes): (() => Publishes) =>
  () =>
    publishes
const release = always({ kind: 'release' })
const image = always({ kind: 'image' })
const deployment = always({ kind: 'deployment' })

/** By the name of the action in lower case. */
export const publishingActions: ReadonlyMap<string, ActionFact> = new Map<string, ActionFact>([
  ['pypa/gh-action-pypi-publish', (step) => ({ kind: 'package', registry: 'PyPI', target: pypiTarget(step) })],
  ['js-devtools/npm-publish', npmPublishAction],
  ['rubygems/release-gem', always({ kind: 'package', registry: 'RubyGems' })],
  [
    'katyo/publish-crates',
    (step) => (isTrue(inputOf(step, 'dry-run')) ? undefined : { kind: 'package', registry: 'crates.io' }),
  ],
  ['release-plz/action', releasePlz],
  ['marcoieni/release-plz-action', releasePlz],
  [
    'cycjimmy/semantic-release-action',
    (step) => unlessTrue(step, 'dry_run', { kind: 'release', registry: 'npm', implied: true }),
  ],
  [
    'changesets/action',
    (step) => (inputOf(step, 'publish') ? { kind: 'release', registry: 'npm', implied: true } : undefined),
  ],
  [
    'pyo3/maturin-action',
    (step) =>
      /^(?:upload|publish)$/.test(inputOf(step, 'command') ?? '') ? { kind: 'package', registry: 'PyPI' } : undefined,
  ],
  ['python-semantic-release/python-semantic-release', release],
  ['python-semantic-release/publish-action', release],
  ['haaleo/publish-vscode-extension', (step) => unlessTrue(step, 'dryrun', { kind: 'package' })],
  ['alirezanet/publish-nuget', always({ kind: 'package', registry: 'NuGet' })],
  ['brandedoutcast/publish-nuget', always({ kind: 'package', registry: 'NuGet' })],
  ['snapcore/action-publish', always({ kind: 'package' })],
  ['goreleaser/goreleaser-action', (step) => goreleaser((inputOf(step, 'args') ?? '').split(/\s+/))],
  ['jreleaser/release-action', release],
  ['helm/chart-releaser-action', release],
  ['softprops/action-gh-release', release],
  ['ncipollo/release-action', release],
  ['actions/create-release', release],
  ['actions/upload-release-asset', release],
  ['svenstaro/upload-release-action', release],
  ['shogo82148/actions-upload-release-asset', release],
  ['abutler/upload-release-assets', release],
  ['marvinpinto/action-automatic-releases', release],
  ['mikepenz/action-gh-release', release],
  ['taiki-e/create-gh-release-action', release],
  ['taiki-e/upload-rust-binary-action', release],
  ['wangyoucao577/go-release-action', release],
  ['googleapis/release-please-action', release],
  ['google-github-actions/release-please-action', release],
  [
    'tauri-apps/tauri-action',
    (step) => (inputOf(step, 'tagname') || inputOf(step, 'releaseid') ? { kind: 'release' } : undefined),
  ],
  ['docker/build-push-action', buildPush],
  ['docker/bake-action', buildPush],
  ['redhat-actions/push-to-registry', image],
  ['elgohr/publish-docker-github-action', (step) => unlessTrue(step, 'no_push', { kind: 'image' })],
  [
    'mr-smithers-excellent/docker-build-push',
    (step) => (inputOf(step, 'pushimage') === 'false' ? undefined : { kind: 'image' }),
  ],
  ['akhilerm/tag-push-action', image],
  ['aws-actions/amazon-ecs-deploy-task-definition', deployment],
  ['aws-actions/aws-cloudformation-github-deploy', deployment],
  ['azure/aci-deploy', deployment],
  ['azure/container-apps-deploy-action', deployment],
  ['azure/functions-action', deployment],
  ['azure/sql-action', deployment],
  ['azure/webapps-deploy', deployment],
  ['cloudflare/wrangler-action', deployment],
  ['google-github-actions/deploy-appengine', deployment],
  ['google-github-actions/deploy-cloudrun', deployment],
  ['google-github-actions/deploy-cloud-functions', deployment],
])

/** By the name of the program. */
export const publishingPrograms: ReadonlyMap<string, ProgramFact> = new Map<string, ProgramFact>([
  ['npm', npmLike(['--prefix', '-w', '--workspace'])],
  ['pnpm', npmLike(['--filter', '-F', '-C', '--dir'])],
  ['bun', npmLike(['--cwd'])],
  ['yarn', yarn],
  ['changeset', (args) => (args[0] === 'publish' ? { kind: 'package', registry: 'npm' } : undefined)],
  [
    'lerna',
    (args) =>
      has(args, 'publish') ? { kind: 'package', registry: 'npm', target: option(args, '--registry') } : undefined,
  ],
  ['semantic-release', (args) => unlessDry(args, { kind: 'release', registry: 'npm', implied: true })],
  ['multi-semantic-release', (args) => unlessDry(args, { kind: 'release', registry: 'npm', implied: true })],
  ['release-it', (args) => unlessDry(args, { kind: 'release', registry: 'npm', implied: true })],
  ['np', (args) => unlessDry(args, { kind: 'package', registry: 'npm' })],
  [
    'nx',
    (args) =>
      args[0] === 'release' ? unlessDry(args, { kind: 'release', registry: 'npm', implied: true }) : undefined,
  ],
  [
    'auto',
    (args) =>
      has(args, 'shipit', 'release', 'latest') ? { kind: 'release', registry: 'npm', implied: true } : undefined,
  ],
  ['jsr', (args) => (has(args, 'publish') ? unlessDry(args, { kind: 'package', registry: 'JSR' }) : undefined)],
  ['deno', (args) => (args[0] === 'publish' ? unlessDry(args, { kind: 'package', registry: 'JSR' }) : undefined)],
  ['vsce', (args) => (has(args, 'publish') ? { kind: 'package' } : undefined)],
  ['ovsx', (args) => (has(args, 'publish') ? { kind: 'package' } : undefined)],
  ['cargo', cargo],
  [
    'twine',
    (args) =>
      args[0] === 'upload'
        ? { kind: 'package', registry: 'PyPI', target: option(args, '--repository-url', '--repository', '-r') }
        : undefined,
  ],
  [
    'uv',
    (args) =>
      has(args, 'publish')
        ? unlessDry(args, { kind: 'package', registry: 'PyPI', target: option(args, '--publish-url', '--index') })
        : undefined,
  ],
  [
    'poetry',
    (args) =>
      has(args, 'publish')
        ? unlessDry(args, { kind: 'package', registry: 'PyPI', target: option(args, '--repository', '-r') })
        : undefined,
  ],
  [
    'flit',
    (args) =>
      has(args, 'publish') ? { kind: 'package', registry: 'PyPI', target: option(args, '--repository') } : undefined,
  ],
  [
    'hatch',
    (args) =>
      args[0] === 'publish' ? { kind: 'package', registry: 'PyPI', target: option(args, '--repo', '-r') } : undefined,
  ],
  [
    'pdm',
    (args) =>
      args[0] === 'publish'
        ? { kind: 'package', registry: 'PyPI', target: option(args, '--repository', '-r') }
        : undefined,
  ],
  [
    'maturin',
    (args) =>
      /^(?:upload|publish)$/.test(args[0] ?? '')
        ? { kind: 'package', registry: 'PyPI', target: option(args, '--repository-url', '--repository', '-r') }
        : undefined,
  ],
  [
    'gem',
    (args) =>
      args[0] === 'push' ? { kind: 'package', registry: 'RubyGems', target: option(args, '--host') } : undefined,
  ],
  ['rake', (args) => (has(args, 'release') ? { kind: 'package', registry: 'RubyGems' } : undefined)],
  [
    'dotnet',
    (args) =>
      args[0] === 'nuget' && args[1] === 'push'
        ? { kind: 'package', registry: 'NuGet', target: option(args, '--source', '-s') }
        : undefined,
  ],
  [
    'nuget',
    (args) =>
      args[0] === 'push'
        ? { kind: 'package', registry: 'NuGet', target: option(args, '-Source', '-source', '-src') }
        : undefined,
  ],
  [
    'mvn',
    (args) =>
      args.some((arg) => /^(?:deploy|release:perform|jreleaser:)/.test(arg)) ? { kind: 'package' } : undefined,
  ],
  [
    'mvnw',
    (args) =>
      args.some((arg) => /^(?:deploy|release:perform|jreleaser:)/.test(arg)) ? { kind: 'package' } : undefined,
  ],
  ['gradle', gradle],
  ['gradlew', gradle],
  [
    'sbt',
    (args) =>
      args.some((arg) => /^(?:ci-release|publishSigned|publish)$/.test(arg)) ? { kind: 'package' } : undefined,
  ],
  ['mix', (args) => (args[0] === 'hex.publish' ? unlessDry(args, { kind: 'package' }) : undefined)],
  ['dart', (args) => (args[0] === 'pub' && args[1] === 'publish' ? unlessDry(args, { kind: 'package' }) : undefined)],
  [
    'flutter',
    (args) => (args[0] === 'pub' && args[1] === 'publish' ? unlessDry(args, { kind: 'package' }) : undefined),
  ],
  ['pod', (args) => (args[0] === 'trunk' && args[1] === 'push' ? { kind: 'package' } : undefined)],
  ['goreleaser', goreleaser],
  [
    'gh',
    (args) =>
      args[0] === 'release' && has(args.slice(1, 2), 'create', 'upload', 'edit') ? { kind: 'release' } : undefined,
  ],
  ['ghr', release],
  ['docker', docker],
  ['podman', docker],
  ['buildah', (args) => (args[0] === 'push' ? pushedTo(args) : undefined)],
  ['crane', (args) => (has(args.slice(0, 1), 'push', 'copy', 'cp', 'append', 'tag') ? pushedTo(args) : undefined)],
  ['skopeo', (args) => (args[0] === 'copy' || args[0] === 'sync' ? skopeo(args) : undefined)],
  ['oras', (args) => (args[0] === 'push' ? pushedTo(args) : undefined)],
  ['helm', (args) => (args[0] === 'push' ? pushedTo(args) : undefined)],
  [
    'ko',
    (args) =>
      has(args.slice(0, 1), 'build', 'publish', 'resolve', 'apply') && !has(args, '--push=false', '--local', '-L')
        ? { kind: 'image' }
        : undefined,
  ],
])

/** Whether a text can name any of the programs at work: parsing shell is what costs. */
export const mayPublish = /publish|push|releas|upload|deploy|shipit|copy|\bghr\b|\bnp\b|\bko\b|\bauto\b|crane|skopeo/i

function has(args: readonly string[], ...words: readonly string[]): boolean {
  return words.some((word) => args.includes(word))
}

/** The value of an option, as the next word or behind `=`. */
export function option(args: readonly string[], ...names: readonly string[]): string | undefined {
  for (const [at, arg] of args.entries()) {
    if (names.includes(arg)) return args[at + 1]
    const name = names.find((each) => arg.startsWith(`${each}=`))
    if (name !== undefined) return arg.slice(name.length + 1)
  }
  return undefined
}

export function isLocalAddress(text: string): boolean {
  return /^(?:[a-z+]+:\/\/)?(?:localhost|127\.|\[?::1|kind-registry|registry\.local|host\.docker\.internal)/i.test(text)
}

function isTrue(text: string | undefined): boolean {
  return text?.trim().toLowerCase() === 'true'
}

function unlessTrue(step: Step, input: string, publishes: Publishes): Publishes | undefined {
  return isTrue(inputOf(step, input)) ? undefined : publishes
}

function unlessDry(args: readonly string[], publishes: Publishes): Publishes | undefined {
  return has(args, '--dry-run', '-n', '--dry-run=true', '-d', '--dryRun', '--help') ? undefined : publishes
}

function npmLike(valued: readonly string[]): ProgramFact {
  return (args) => {
    const rest = args.slice(skipOptions(args, valued))
    const verb = rest[0] === 'recursive' || rest[0] === 'm' ? rest[1] : rest[0]
    if (verb !== 'publish' || has(args, '--dry-run')) return undefined
    const target = option(args, '--registry')
    return target !== undefined && isLocalAddress(target) ? undefined : { kind: 'package', registry: 'npm', target }
  }
}

// `yarn npm publish`, `yarn workspaces foreach … npm publish`, and `yarn publish` of the first version.
function yarn(args: readonly string[]): Publishes | undefined {
  const at = args.indexOf('publish')
  if (at === -1 || has(args, '--dry-run', '-n') || !(at === 0 || args[at - 1] === 'npm')) return undefined
  const target = option(args, '--registry')
  return target !== undefined && isLocalAddress(target) ? undefined : { kind: 'package', registry: 'npm', target }
}

function cargo(all: readonly string[]): Publishes | undefined {
  const args = all[0]?.startsWith('+') === true ? all.slice(1) : all
  const verb = args[0] === 'workspaces' || args[0] === 'ws' ? args[1] : args[0]
  const publishes: Publishes = { kind: 'package', registry: 'crates.io', target: option(args, '--registry', '--index') }
  if (verb === 'publish') return unlessDry(args, publishes)
  return verb === 'release' && has(args, '--execute', '-x') && !has(args, '--no-publish') ? publishes : undefined
}

function gradle(args: readonly string[]): Publishes | undefined {
  const task = args.find((arg) => /(?:^|:)publish(?!.*Local)|closeAndRelease/i.test(arg))
  return task === undefined || has(args, '--dry-run', '-m') ? undefined : { kind: 'package' }
}

function goreleaser(args: readonly string[]): Publishes | undefined {
  if (!has(args, 'release', 'r')) return undefined
  const off =
    args.some((arg) => /^--snapshot|^--skip(?:=|-)\S*publish/.test(arg)) || option(args, '--skip')?.includes('publish')
  return off === true ? undefined : { kind: 'release' }
}

function docker(args: readonly string[]): Publishes | undefined {
  const verbs = args.slice(skipOptions(args, ['--context', '-c', '--config', '--host', '-H']))
  const [first, second, third] = verbs
  if (first === 'push' || (second === 'push' && (first === 'image' || first === 'manifest' || first === 'compose')))
    return pushedTo(verbs)
  const builds = first === 'build' || (first === 'buildx' && (second === 'build' || second === 'bake'))
  const output = option(args, '--output', '-o') ?? ''
  if (builds && (has(args, '--push', '--push=true') || /type=registry|push=true/.test(output))) return pushedTo(verbs)
  return first === 'buildx' && second === 'imagetools' && third === 'create' && !has(args, '--dry-run')
    ? pushedTo(verbs)
    : undefined
}

function pushedTo(args: readonly string[]): Publishes | undefined {
  const local = args.some((arg) => isLocalAddress(arg.replace(/^(?:oci|docker):\/\//, '')))
  return local ? undefined : { kind: 'image' }
}

function skopeo(args: readonly string[]): Publishes | undefined {
  const target = args.at(-1) ?? ''
  return target.startsWith('docker://') || args[0] === 'sync' ? pushedTo([target]) : undefined
}

function buildPush(step: Step): Publishes | undefined {
  const push = inputOf(step, 'push')?.trim()
  const outputs = inputOf(step, 'outputs') ?? ''
  const tags = (inputOf(step, 'tags') ?? '').trim()
  if (tags !== '' && tags.split(/[\s,]+/).every((tag) => isLocalAddress(tag))) return undefined
  if (/type=registry|push=true/.test(outputs) || isTrue(push)) return { kind: 'image' }
  if (push?.includes('${{') !== true) return undefined
  if (/^\$\{\{\s*false\s*\}\}$/.test(push)) return undefined
  // Such a condition says when, not whether.
  return { kind: 'image', certain: /github\.(?:event|ref)/.test(push) }
}

function npmPublishAction(step: Step): Publishes | undefined {
  return unlessTrue(step, 'dry-run', { kind: 'package', registry: 'npm', target: inputOf(step, 'registry') })
}

function releasePlz(step: Step): Publishes | undefined {
  const off = inputOf(step, 'command') === 'release-pr' || isTrue(inputOf(step, 'dry_run'))
  return off ? undefined : { kind: 'package', registry: 'crates.io' }
}

function pypiTarget(step: Step): string | undefined {
  return inputOf(step, 'repository-url') ?? inputOf(step, 'repository_url')
}
