import type { ShellCommand, ShellWord, ShellScript } from '../../collect/shell/script.ts'
import type { Confidence } from '../../outcome.ts'
import { isDisposable, removesAll } from './disposable.ts'

/** What a command destroys. */
export interface Destruction {
  readonly what: string
  readonly outcome: 'FAIL' | 'WARN'
  readonly confidence: Confidence
}

/** What a command of a shell script destroys beyond what a build or a test made; undefined where nothing. */
export function destructionOf(command: ShellCommand, script: ShellScript): Destruction | undefined {
  const [program, ...args] = unwrapped([...command.words, ...command.hereDocuments])
  const name = program?.text.split('/').at(-1) ?? ''
  const texts = args.map(({ text }) => text)
  const has = (...wanted: readonly string[]): boolean => wanted.every((each) => texts.includes(each))
  if (texts.some((text) => /^--(?:dry-run|dryrun|what-if)/.test(text) && text !== '--dry-run=none')) return undefined
  switch (name) {
    case 'rm':
      return recursive(texts) ? removed(args, script) : undefined
    case 'find':
      return clears(texts) ? removed(args.slice(0, 1), script) : undefined
    case 'psql':
    case 'mysql':
    case 'mariadb':
    case 'sqlite3':
    case 'clickhouse-client':
      return inSql(texts.join('\n'))
    case 'dropdb':
      return isTrial(texts.join(' ')) ? undefined : sure('a database')
    case 'redis-cli':
    case 'valkey-cli':
      return texts.some((text) => /^flush(?:all|db)$/i.test(text)) ? sure('all keys of a Redis') : undefined
    case 'mongo':
    case 'mongosh':
      return /dropDatabase\(|\.drop\(\)|deleteMany\(\s*\{\s*\}\s*\)/.test(texts.join(' '))
        ? sure('data of a MongoDB')
        : undefined
    case 'kubectl':
    case 'oc':
      return has('delete') ? inCluster(texts) : undefined
    case 'helm':
      return texts[0] === 'uninstall' || texts[0] === 'delete' ? likely('a release in a cluster') : undefined
    case 'terraform':
    case 'tofu':
    case 'terragrunt':
    case 'pulumi':
      return has('destroy') || has('apply', '-destroy') ? sure('infrastructure') : undefined
    case 'aws':
      return inAws(texts)
    case 'gsutil':
      return has('rm') && texts.some((text) => /^-[a-zA-Z]*r/.test(text)) ? sure('a bucket') : undefined
    case 'gcloud':
    case 'az':
      return has('delete') || has('purge') ? likely('a resource in a cloud') : undefined
    case 'docker':
    case 'podman':
      return inDocker(texts)
    case 'git':
      return texts[0] === 'push' && texts.some((text) => text === '--force' || text === '-f' || text === '--mirror')
        ? { what: 'the history of a branch', outcome: 'WARN', confidence: 'low' }
        : undefined
    case 'dd':
      return texts.some((text) => /^of=\/dev\/(?!null|stdout|stderr|zero)/.test(text)) ? sure('a disk') : undefined
    default:
      return /^mkfs(?:\.|$)/.test(name) ? sure('a disk') : undefined
  }
}

function sure(what: string): Destruction {
  return { what, outcome: 'FAIL', confidence: 'high' }
}

function likely(what: string): Destruction {
  return { what, outcome: 'FAIL', confidence: 'medium' }
}

// `sudo -u postgres psql …`, `docker exec db psql …`, `kubectl exec pod -- psql …`, `xargs rm -rf`.
function unwrapped(words: readonly ShellWord[]): readonly ShellWord[] {
  const [first] = words
  const name = first?.text.split('/').at(-1) ?? ''
  if (!/^(?:sudo|doas|xargs|exec|env|nohup|time|nice|timeout|command|docker|docker-compose|podman|kubectl)$/.test(name))
    return words
  if (
    /^(?:docker|docker-compose|podman|kubectl)$/.test(name) &&
    !words.some(({ text }) => text === 'exec' || text === 'run')
  )
    return words
  const at = words.findIndex(({ text }, index) => index > 0 && inner.test(text.split('/').at(-1) ?? ''))
  return at === -1 ? words : words.slice(at)
}

const inner =
  /^(?:rm|find|psql|mysql|mariadb|sqlite3|dropdb|redis-cli|mongo|mongosh|kubectl|helm|terraform|aws|gsutil|gcloud|az|docker|mkfs[.\w]*|dd)$/

// `find … -delete` of more than what is empty or by its name a leftover.
function clears(texts: readonly string[]): boolean {
  const all = texts.join(' ')
  if (!texts.includes('-delete') && !/-exec(?:dir)? rm\b/.test(all)) return false
  return !/-empty|-lname|-type l|-i?name \S*(?:tmp|temp|log|cache|pyc|core|\.gz|~|DS_Store|swp|lock|pid|orig|rej|bak)/.test(
    all,
  )
}

function recursive(texts: readonly string[]): boolean {
  return texts.some((text) => text === '--recursive' || /^-[a-zA-Z]*[rR]/.test(text))
}

function removed(args: readonly ShellWord[], script: ShellScript): Destruction | undefined {
  const targets = args.filter(({ text }) => !text.startsWith('-'))
  const lasting = targets.find((target) => !isDisposable(target.text, script.assigned) && !isMadeAnew(target, script))
  if (lasting === undefined) return undefined
  return removesAll(lasting.text) ? sure('a folder of the system') : likely('a folder with all that is in it')
}

// What is removed is put there again: `rm -rf "$home/new"; mv unpacked "$home/new"`.
function isMadeAnew({ text, end }: ShellWord, script: ShellScript): boolean {
  const made = madePaths.get(script) ?? lastMade(script)
  madePaths.set(script, made)
  return (made.get(plainPath(text)) ?? -1) > end
}

const madePaths = new WeakMap<ShellScript, ReadonlyMap<string, number>>()
const levelsMax = 20

// Each path that something is put at or below, and where the script last does so.
function lastMade({ commands }: ShellScript): ReadonlyMap<string, number> {
  const made = new Map<string, number>()
  for (const { name, words, start } of commands) {
    if (!/^(?:mkdir|mv|cp|ln|git|tar|rsync|unzip|install)$/.test(name)) continue
    for (const { text } of words.slice(1)) {
      let path = plainPath(text)
      for (let level = 0; level < levelsMax && path !== ''; level += 1) {
        made.set(path, Math.max(start, made.get(path) ?? 0))
        path = path.slice(0, Math.max(0, path.lastIndexOf('/')))
      }
    }
  }
  return made
}

function plainPath(text: string): string {
  return text
    .slice(0, 1000)
    .replaceAll(/\$\{(\w+)(?::\?[^}]*)?\}/g, '$$$1')
    .replace(/\/$/, '')
}

function inSql(text: string): Destruction | undefined {
  return destroysRows(text) && !isTrial(text) ? sure('data of a database') : undefined
}

/** SQL that drops, truncates, or deletes without a condition. */
export function destroysRows(sql: string): boolean {
  return sql.split(';').some((statement) => {
    if (
      /\b(?:drop\s{1,20}(?:table|database|schema|role|user|view\s{1,20}cascade)|truncate\s{1,20}(?:table\s{1,20})?[\w"$.{])/i.test(
        statement,
      )
    )
      return true
    return /\bdelete\s{1,20}from\s{1,20}[\w"$.{]/i.test(statement) && !/\bwhere\b/i.test(statement)
  })
}

// Of a test, or made a moment ago.
function isTrial(text: string): boolean {
  return /(?:^|[^a-z])(?:test|tests|testing|tmp|temp|scratch|ci|bench|e2e|demo)(?:[^a-z]|$)/i.test(text)
}

function inCluster(texts: readonly string[]): Destruction | undefined {
  const words = texts.join(' ')
  if (isTrial(words)) return undefined
  const lasting =
    /\b(?:namespaces?|ns|pvc|persistentvolume\w*|pv|statefulsets?|sts|deployments?|deploy|crds?|customresource\w*|secrets?|all)\b|--all\b|-f\b|--filename|-k\b/
  if (lasting.test(words)) return likely('resources of a cluster')
  return { what: 'resources of a cluster', outcome: 'WARN', confidence: 'low' }
}

function inAws(texts: readonly string[]): Destruction | undefined {
  const [service, action = ''] = texts.filter((text) => !text.startsWith('-'))
  if (service === 's3') {
    if (action === 'rm' && texts.includes('--recursive')) return sure('a bucket')
    if (action === 'rb') return sure('a bucket')
    if (action === 'sync' && texts.includes('--delete'))
      return { what: 'objects of a bucket', outcome: 'WARN', confidence: 'low' }
    return undefined
  }
  return /^(?:delete|terminate|purge|deregister)-/.test(action) ? likely('a resource in a cloud') : undefined
}

function inDocker(texts: readonly string[]): Destruction | undefined {
  const [first, second] = texts.filter((text) => !text.startsWith('-'))
  if (first === 'volume' && (second === 'rm' || second === 'prune')) return likely('volumes with their data')
  if (first === 'system' && second === 'prune' && texts.includes('--volumes')) return likely('volumes with their data')
  if (first === 'compose' && texts.includes('down') && texts.some((text) => text === '-v' || text === '--volumes'))
    return { what: 'volumes with their data', outcome: 'WARN', confidence: 'low' }
  return undefined
}
