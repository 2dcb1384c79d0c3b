import type { Registry } from './publishing-facts.ts'

/** How a registry is spoken to with a token that does not expire with the job. */
export interface RegistryFact {
  /** Variables that hold its token. */
  readonly variables: RegExp
  /** Inputs of publishing actions that hold it. */
  readonly inputs: readonly string[]
  /** What a script that writes the token somewhere has in it. */
  readonly login: RegExp
  /** Variables that name another registry. */
  readonly elsewhere: readonly string[]
  /** Addresses and names that are the public registry. */
  readonly own: RegExp
}

export const registries: Readonly<Record<Registry, RegistryFact>> = {
  npm: {
    variables: /^(?:NODE_AUTH_TOKEN|NPM_(?:\w+_)?TOKEN|NPM_AUTH|YARN_NPM_AUTH_(?:TOKEN|IDENT)|NPM_CONFIG_\S*AUTH\w*)$/i,
    inputs: ['token'],
    login: /_authToken|npm config set|npmAuthToken|\.npmrc/,
    elsewhere: ['NPM_CONFIG_REGISTRY', 'npm_config_registry', 'YARN_NPM_PUBLISH_REGISTRY'],
    own: /^(?:https?:)?(?:\/\/)?registry\.(?:npmjs\.org|yarnpkg\.com)\b/i,
  },
  PyPI: {
    variables:
      /^(?:TWINE_PASSWORD|UV_PUBLISH_(?:TOKEN|PASSWORD)|POETRY_PYPI_TOKEN_\w+|POETRY_HTTP_BASIC_\w+_PASSWORD|FLIT_PASSWORD|HATCH_INDEX_AUTH|PDM_PUBLISH_PASSWORD|MATURIN_(?:PYPI_TOKEN|PASSWORD)|(?:TEST_?)?PYPI_\w*(?:TOKEN|PASSWORD))$/i,
    inputs: ['password'],
    login: /\.pypirc|pypi-token|http-basic/,
    elsewhere: [
      'TWINE_REPOSITORY_URL',
      'TWINE_REPOSITORY',
      'UV_PUBLISH_URL',
      'FLIT_INDEX_URL',
      'HATCH_INDEX_REPO',
      'PDM_PUBLISH_REPO',
      'MATURIN_REPOSITORY_URL',
      'MATURIN_REPOSITORY',
    ],
    own: /^(?:(?:test)?pypi|https:\/\/(?:upload|test)\.pypi\.org\b)/i,
  },
  'crates.io': {
    variables: /^(?:CARGO_(?:REGISTRY_|REGISTRIES_CRATES_IO_|API_)?TOKEN|CRATES_(?:IO_)?(?:API_)?TOKEN)$/i,
    inputs: ['registry-token'],
    login: /cargo login|\.cargo\/credentials/,
    elsewhere: [],
    own: /^(?:crates-io|https:\/\/(?:index\.)?crates\.io\b)/i,
  },
  RubyGems: {
    variables: /^(?:GEM_HOST_API_KEY|RUBYGEMS_\w*(?:KEY|TOKEN))$/i,
    inputs: [],
    login: /\.gem\/credentials|:rubygems_api_key/,
    elsewhere: ['RUBYGEMS_HOST'],
    own: /^https:\/\/rubygems\.org\b/i,
  },
  NuGet: {
    variables: /^NUGET_\w*(?:KEY|TOKEN)$/i,
    inputs: ['nuget_key', 'nuget-key'],
    login: /nuget setapikey/i,
    elsewhere: [],
    own: /^(?:https?:\/\/(?:api|www)\.nuget\.org\b|nuget\.org$|nuget$)/i,
  },
  JSR: {
    variables: /^JSR_TOKEN$/,
    inputs: [],
    login: /$^/,
    elsewhere: [],
    own: /^$/,
  },
}

export const registryNames: readonly Registry[] = ['npm', 'PyPI', 'crates.io', 'RubyGems', 'NuGet', 'JSR']
