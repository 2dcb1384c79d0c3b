import type { Collector } from '../collector.ts'
import { powershellTokenUse } from './powershell-tokens.ts'
import { shellTokenUse } from './shell-tokens.ts'
import { isReadable, type Parsed, type SourceFile, type Spot } from '../source-file.ts'

/** What an install script does with a token of a code host. */
export interface TokenUse {
  readonly file: SourceFile
  readonly language: 'shell' | 'powershell'
  /** Where it gives up without one. */
  readonly demands: readonly Found[]
  /** Where it sends one, whether there is one or not. */
  readonly sends: readonly Found[]
  /** Where other users of the machine can read it: the words of a program. */
  readonly shows: readonly Spot[]
  /** Where it is used first. */
  readonly first?: Spot
  /** It looks at what the token may do. */
  readonly readsScopes: boolean
  /** It names scopes that are too broad. */
  readonly namesBroad: boolean
}

export interface Found {
  readonly spot: Spot
  /** It was not written so that a reader is sure. */
  readonly likely?: boolean
}

const paths = /(?:^|\/)install[^/]*\.(?:sh|bash|ps1)$|^(?:.*\/)?(?:get|setup)-[^/]*install[^/]*\.(?:sh|ps1)$/i
const foreign = /(?:^|\/)(?:fixtures?|testdata|vendor|third_party|tests?)\//i

/** The install scripts of the repository: `install.sh`, `scripts/install-tool.sh`, `install.ps1`. */
export const installScripts: Collector<'repo', readonly Parsed<TokenUse>[]> = async (tree) => {
  const texts = await tree.readAll(tree.matching(paths).filter(({ path }) => !foreign.test(path)))
  return texts.map((text) => {
    if (!isReadable(text)) return text
    return /\.ps1$/i.test(text.file.path) ? powershellTokenUse(text.value) : shellTokenUse(text.value)
  })
}
