import type { BumpTarget } from '../../collect/packages/bump-targets.ts'
import type { DependabotConfig } from '../../collect/packages/dependabot.ts'
import type { RenovateConfig } from '../../collect/packages/renovate.ts'
import { isReadable, type Parsed } from '../../collect/source-file.ts'
import { listed, texts } from '../../collect/values/value.ts'

// Actions whose version input Renovate raises without being told how. After
// https://github.com/renovatebot/renovate/tree/main/lib/modules/manager/github-actions
const raisedByRenovate =
  /^(?:actions\/setup-|astral-sh\/|pnpm\/action-setup|oven-sh\/setup-bun|denoland\/setup-deno|jdx\/mise-action|golangci\/golangci-lint-action|zizmorcore\/zizmor-action|pdm-project\/setup-pdm|prefix-dev\/setup-pixi|ruby\/setup-ruby|taiki-e\/install-action|goreleaser\/goreleaser-action|aquasecurity\/setup-trivy|snok\/install-poetry)/

/** What looks after versions in this repository. */
export class Updaters {
  readonly #ecosystems = new Set<string>()
  readonly #renovate: boolean
  readonly #managers: ReadonlySet<string> | undefined
  readonly #custom: boolean
  readonly #foreign: boolean

  constructor(dependabots: readonly Parsed<DependabotConfig>[], renovates: readonly Parsed<RenovateConfig>[]) {
    for (const each of dependabots)
      if (isReadable(each)) for (const { ecosystem } of each.value.updates) this.#ecosystems.add(ecosystem.text)
    const [config] = renovates.flatMap((each) => (isReadable(each) ? [each.value.root] : []))
    this.#renovate = config !== undefined && config.scalar('enabled')?.value !== false
    const enabled = texts(config?.get('enabledManagers'))
    this.#managers = enabled.length > 0 ? new Set(enabled) : undefined
    const presets = texts(config?.get('extends'))
    this.#custom =
      listed(config?.get('customManagers') ?? config?.get('regexManagers')).length > 0 ||
      presets.some((name) => /^(?:customManagers|regexManagers):/.test(name))
    this.#foreign = presets.some((name) => /^(?:local|github|gitlab|gitea)>|\//.test(name))
  }

  get none(): boolean {
    return !this.#renovate && this.#ecosystems.size === 0
  }

  covers({ dependabot, renovate }: Pick<BumpTarget, 'dependabot' | 'renovate'>): boolean {
    if (dependabot.some((name) => this.#ecosystems.has(name))) return true
    return this.#renovate && (this.#managers === undefined || renovate.some((name) => this.#managers?.has(name)))
  }

  /** Whether a version in a workflow is raised: yes, no, or nobody can tell from here. */
  raises(action: string | undefined): boolean | undefined {
    if (!this.#renovate) return false
    if (this.#custom || (action !== undefined && raisedByRenovate.test(action))) return true
    return this.#foreign ? undefined : false
  }
}
