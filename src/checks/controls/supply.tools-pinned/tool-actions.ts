/** An input of an action that names the version of what it installs. */
export interface ToolInput {
  readonly input: string
  /** What is installed; a name of `runtimes` makes it a language. */
  readonly tool: string
  /** Without the input it takes the newest version, unless one of these inputs names a file. */
  readonly newest?: readonly string[]
  /** Without the input a file of the repository may say it. */
  readonly fromFile?: boolean
  /** The input is a list of `name@version`. */
  readonly list?: boolean
}

/** By the action in lower case. Which inputs there are, and what happens without them, is from the actions' own `action.yml`. */
export const toolInputs: Readonly<Record<string, readonly ToolInput[] | undefined>> = Object.assign(
  Object.create(null) as Record<string, readonly ToolInput[] | undefined>,
  {
    'actions/setup-node': [{ input: 'node-version', tool: 'node' }],
    'actions/setup-python': [{ input: 'python-version', tool: 'python' }],
    'actions/setup-go': [{ input: 'go-version', tool: 'go' }],
    'actions/setup-java': [{ input: 'java-version', tool: 'java' }],
    'actions/setup-dotnet': [{ input: 'dotnet-version', tool: 'dotnet' }],
    'ruby/setup-ruby': [
      { input: 'ruby-version', tool: 'ruby' },
      { input: 'bundler', tool: 'bundler' },
    ],
    'shivammathur/setup-php': [{ input: 'php-version', tool: 'php' }],
    'oven-sh/setup-bun': [{ input: 'bun-version', tool: 'bun', newest: ['bun-version-file'], fromFile: true }],
    'denoland/setup-deno': [{ input: 'deno-version', tool: 'deno' }],
    'subosito/flutter-action': [{ input: 'flutter-version', tool: 'flutter' }],
    'erlef/setup-beam': [
      { input: 'otp-version', tool: 'erlang' },
      { input: 'elixir-version', tool: 'elixir' },
    ],
    'goreleaser/goreleaser-action': [{ input: 'version', tool: 'goreleaser', newest: [] }],
    'golangci/golangci-lint-action': [{ input: 'version', tool: 'golangci-lint', newest: ['version-file'] }],
    'hashicorp/setup-terraform': [{ input: 'terraform_version', tool: 'terraform', newest: [] }],
    'hashicorp/setup-packer': [{ input: 'version', tool: 'packer', newest: [] }],
    'opentofu/setup-opentofu': [{ input: 'tofu_version', tool: 'tofu', newest: ['tofu_version_file'] }],
    'terraform-linters/setup-tflint': [{ input: 'tflint_version', tool: 'tflint', newest: [] }],
    'pulumi/actions': [{ input: 'pulumi-version', tool: 'pulumi', newest: ['pulumi-version-file'] }],
    'pnpm/action-setup': [{ input: 'version', tool: 'pnpm' }],
    'astral-sh/setup-uv': [{ input: 'version', tool: 'uv', newest: ['version-file'], fromFile: true }],
    'astral-sh/ruff-action': [{ input: 'version', tool: 'ruff', newest: ['version-file'] }],
    'zizmorcore/zizmor-action': [{ input: 'version', tool: 'zizmor', newest: [] }],
    'bufbuild/buf-setup-action': [{ input: 'version', tool: 'buf', newest: [] }],
    'bufbuild/buf-action': [{ input: 'version', tool: 'buf', newest: [] }],
    'sigstore/cosign-installer': [{ input: 'cosign-release', tool: 'cosign' }],
    'azure/setup-helm': [{ input: 'version', tool: 'helm', newest: [] }],
    'azure/setup-kubectl': [{ input: 'version', tool: 'kubectl', newest: [] }],
    'helm/kind-action': [{ input: 'version', tool: 'kind' }],
    'docker/setup-buildx-action': [{ input: 'version', tool: 'buildx' }],
    'aquasecurity/setup-trivy': [{ input: 'version', tool: 'trivy', newest: [] }],
    'aquasecurity/trivy-action': [{ input: 'version', tool: 'trivy' }],
    'anchore/sbom-action': [{ input: 'syft-version', tool: 'syft' }],
    'anchore/sbom-action/download-syft': [{ input: 'syft-version', tool: 'syft' }],
    'anchore/scan-action': [{ input: 'grype-version', tool: 'grype' }],
    'arduino/setup-protoc': [{ input: 'version', tool: 'protoc', newest: [] }],
    'arduino/setup-task': [{ input: 'version', tool: 'task', newest: [] }],
    'go-task/setup-task': [{ input: 'version', tool: 'task', newest: [] }],
    'extractions/setup-just': [{ input: 'just-version', tool: 'just', newest: [] }],
    'jdx/mise-action': [{ input: 'version', tool: 'mise', newest: [] }],
    'snok/install-poetry': [{ input: 'version', tool: 'poetry', newest: [] }],
    'abatilo/actions-poetry': [{ input: 'poetry-version', tool: 'poetry', newest: [] }],
    'foundry-rs/foundry-toolchain': [{ input: 'version', tool: 'foundry', newest: [] }],
    'google-github-actions/setup-gcloud': [{ input: 'version', tool: 'gcloud', newest: [] }],
    'supabase/setup-cli': [{ input: 'version', tool: 'supabase', newest: [] }],
    'superfly/flyctl-actions/setup-flyctl': [{ input: 'version', tool: 'flyctl', newest: [] }],
    'ko-build/setup-ko': [{ input: 'version', tool: 'ko', newest: [] }],
    'reviewdog/action-setup': [{ input: 'reviewdog_version', tool: 'reviewdog', newest: [] }],
    'cloudflare/wrangler-action': [{ input: 'wranglerVersion', tool: 'wrangler' }],
    'taiki-e/install-action': [{ input: 'tool', tool: 'the listed tools', list: true }],
    'j178/prek-action': [{ input: 'prek-version', tool: 'prek', newest: [] }],
  } satisfies Record<string, readonly ToolInput[]>,
)
