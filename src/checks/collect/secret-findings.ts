import type { Collector } from './collector.ts'
import { windowsOf } from './large-files.ts'
import { fileBytesMax } from './read-bytes.ts'
import { isReadable, SourceFile, type Spot } from './source-file.ts'
import type { FoundFile, Tree } from './tree.ts'

/** A text in the form of a secret of a known kind. What it says is never part of a fact. */
export interface SecretFinding {
  readonly spot: Spot
  /** Such as `SlackToken`: the name that secretlint gives this kind. */
  readonly kind: string
}

export interface SecretFindings {
  readonly found: readonly SecretFinding[]
  /** Files that should be text and could not be searched. */
  readonly unread: readonly { readonly file: SourceFile; readonly why: string }[]
  readonly searched: number
}

// Of a file with more places than this that begin like a secret nobody would read the findings.
const placesMax = 1000
// As much of files that are too large to be read whole as is searched in a few seconds.
const largeBytesMax = 512 * 1024 * 1024

/** Every text file of the tree, searched by secretlint. Its own comments that switch rules off are not followed. */
export const secretFindings: Collector<'repo', SecretFindings> = async (tree) => {
  const found: SecretFinding[] = []
  const unread: { file: SourceFile; why: string }[] = []
  const files = tree.files.filter(({ path }) => !binaryPath.test(path) && !lockPath.test(path))
  let left = largeBytesMax
  const closed = new Set(files.flatMap((file) => (file.closed === undefined ? [] : [file.path])))
  for (const each of files) {
    const parsed = await tree.read(each)
    const { file } = parsed
    if (!isReadable(parsed) && each.bytes > fileBytesMax && !closed.has(file.path)) {
      left -= each.bytes
      const why =
        left < 0
          ? `It is one of files of more than ${largeBytesMax} bytes in all.`
          : await searchLarge(tree, each, found)
      if (why !== undefined) unread.push({ file, why })
      else if (readOtherwise.test(file.path)) unread.push({ file, why: parsed.unreadable.why })
    } else if (!isReadable(parsed)) {
      if (closed.has(file.path) || shouldBeText.test(file.path)) unread.push({ file, why: parsed.unreadable.why })
    } else if (mayHoldSecret(file.text)) {
      if (beginnings(file.text) <= placesMax) found.push(...(await search(file)))
      else unread.push({ file, why: `It has more than ${placesMax} places that begin like a secret.` })
    }
  }
  for (const { path, why } of tree.unreadIndexes)
    unread.push({
      file: new SourceFile(path, ''),
      why: `Which of the files that .gitignore names git tracks is not known. ${why}`,
    })
  return { found, unread, searched: files.length }
}

/** Searches a file that is too large to be read whole, window by window; tells why where that did not work. */
async function searchLarge(tree: Tree, { path }: FoundFile, found: SecretFinding[]): Promise<string | undefined> {
  let places = 0
  try {
    for (const { file, until } of windowsOf(tree.absolute(path), path)) {
      if (!mayHoldSecret(file.text)) continue
      places += beginnings(file.text)
      if (places > placesMax) return `It has more than ${placesMax} places that begin like a secret.`
      found.push(...(await search(file)).filter(({ spot }) => spot.start < until))
    }
    return undefined
  } catch (error) {
    return `It could not be read: ${(error as NodeJS.ErrnoException).code ?? 'it is no file'}.`
  }
}

/**
 * Whether secretlint could find something: the fixed beginning of each of its kinds, with as much of the form as keeps common words
 * out. Every part is bounded, so that it takes linear time.
 */
export function mayHoldSecret(text: string): boolean {
  return trigger.test(text)
}

function beginnings(text: string): number {
  let count = 0
  for (const _ of text.matchAll(everyTrigger)) if ((count += 1) > placesMax) break
  return count
}

const trigger = new RegExp(
  [
    String.raw`(?:SECRET|[Ss]ecret)_?(?:ACCESS|[Aa]ccess)_?(?:KEY|[Kk]ey)`,
    'PRIVATE KEY',
    String.raw`:x-oauth-basic@|_authToken=|npm_\w{36}`,
    String.raw`xox[abopr]-|xapp-|[Hh][Oo][Oo][Kk][Ss]\.[Ss][Ll][Aa][Cc][Kk]`,
    String.raw`(?:https?|ftps?):\/\/[-\w]{1,256}:[-\w]{1,256}@`,
    String.raw`(?:[Mm][Oo][Nn][Gg][Oo][Dd][Bb](?:\+srv)?|[Mm][Yy][Ss][Qq][Ll]x?|[Pp][Oo][Ss][Tt][Gg][Rr][Ee][Ss](?:[Qq][Ll])?):\/\/[^:/\s]{1,100}:`,
    String.raw`T3BlbkFJ|sk-ant-api|gsk_\w{52}|hf_[a-zA-Z]{34}|lin_api_|ntn_\d{11}|SG\.\w{1,128}\.\w`,
    String.raw`shp(?:pa|ca|at|ss)_\w{32}|[rs]k_(?:live|test)_\w{24}|gh[oprsu]_\w{8}|github_pat_\w{20}|glpat-[\w-]{20}`,
    String.raw`glc_[\w+/]{32}|glsa_\w{32}|ops_ey|hv[brs]\.[\w-]{90}|vc[aikpr]_\w{20}|dapi[A-Fa-f0-9]{32}`,
    String.raw`dckr_pat_|figd_[\w-]{40}|cf(?:k|ut|at)_\w{40}|tskey-`,
  ].join('|'),
)
const everyTrigger = new RegExp(trigger.source, 'g')

const binaryPath =
  /\.(?:png|jpe?g|gif|webp|avif|ico|bmp|tiff?|woff2?|ttf|otf|eot|pdf|zip|gz|tgz|bz2|xz|zst|7z|rar|jar|war|class|exe|dll|so|dylib|a|o|wasm|pyc|mp[34]|mov|webm|ogg|wav|bin|p12|pfx|jks|keystore|sqlite3?|db|parquet|map|snap)$/i
const lockPath =
  /(?:^|\/)(?:package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?|[^/]*\.lock|go\.sum|go\.work\.sum|gradle\.lockfile|packages\.lock\.json)$|\.min\.(?:js|css)$|(?:^|\/)node_modules\//i
const shouldBeText =
  /(?:^|\/)\.env[^/]*$|\.(?:[mc]?[jt]s|[jt]sx|py|go|rs|rb|php|java|kt|cs|sh|bash|ya?ml|toml|ini|cfg|conf|properties|tf|tfvars|env|pem|key)$/i

// What is in these is judged as what it says too, and that needs all of it.
const readOtherwise = /(?:^|\/)\.env[^/]*$|\.(?:[mc]?[jt]s|[jt]sx|py|go)$/i

async function search(file: SourceFile): Promise<readonly SecretFinding[]> {
  const [{ lintSource }, preset] = await Promise.all([
    import('@secretlint/core'),
    import('@secretlint/secretlint-rule-preset-recommend'),
  ])
  const { messages } = await lintSource({
    source: { filePath: file.path, content: file.text, contentType: 'text' },
    options: {
      // A rule may open the file by its path: it gets none.
      noPhysicFilePath: true,
      maskSecrets: true,
      config: {
        rules: [
          {
            id: '@secretlint/secretlint-rule-preset-recommend',
            rule: preset.creator,
            // A comment of whoever committed the secret is no reason; a waiver is.
            rules: [{ id: '@secretlint/secretlint-rule-filter-comments', disabled: true }],
          },
        ],
      },
    },
  })
  const whole = messages.find(({ messageId }) => messageId === 'PrivateKeyJSON')
  return messages.flatMap(({ messageId, range: [start, end] }) => {
    if (messageId === 'PrivateKey' && whole !== undefined) return []
    if (messageId !== 'PrivateKeyJSON') return [{ spot: { file, start, end }, kind: messageId }]
    // The finding is the whole file; the key is one of its lines.
    const from = Math.max(0, file.text.indexOf('"private_key"'))
    const newline = file.text.indexOf('\n', from)
    return [{ spot: { file, start: from, end: newline === -1 ? end : newline }, kind: messageId }]
  })
}
