import type { Detector, Found, Searched } from './detector.ts'
import { looksRandom } from './random.ts'

const valueMax = 512

// Names that end in a word for a secret, then what separates it from its value: `=`, `:`, `=>`, a blank behind an option, a tag.
const named =
  /(pass(?:word|wd|phrase|code)|(?<![A-Za-z])pwd|(?<=[a-z_]_?)pwd|(?<![A-Za-z])pgpass|secret(?:[_ -]?(?:access[_ -]?)?key)?|(?<!page[_ -]?)token|(?:api|access|account|auth|private|master|encryption|signing|shared[_ -]?access|client|subscription|license|storage)[_ -]?key|credentials?)(?:\s{0,8}["'`\]]{0,2}\s{0,4}(?::=|=>|[:=])\s{0,8}|(?<=--[\w-]{0,40})[ ]{1,2}|["'`]\s{0,4},\s{0,4}|>)(["'`]?)/gi

const bare = /[^\s"'`,;&<>(){}[\]|]{1,512}/y
// What a person writes in the place of a secret, or says about one.
const said =
  /^(?:null|nil|none|true|false|undefined|empty|unset|not|no|yes|is|was|are|has|had|must|may|can|cannot|should|will|would|and|or|the|an?|of|for|in|on|to|by|with|from|required|missing|invalid|incorrect|wrong|expired|revoked|unknown|unauthorized|denied|rejected|accepted|valid|string|number|text|bytes?|example|placeholder|changeme|redacted|masked|hidden|secret|password|passwd|token|key|file|env|vault|prompt|ask|optional|default|[x*.…_-]{3,})$/i
const placeholder =
  /^(?:[$<{[*%…#@]|process\.|env\.|os\.|config\.|secrets?\.|vault:|file:|\/[\w.-]+\/|\.{1,2}\/|h1:|eyJ\*|[A-Za-z0-9_.-]{0,16}\*{3})/
const word = /^\p{L}+[.!?]?$/u
const call = /^[A-Za-z_$][\w$.]*\(/

/** Values that stand behind the name of a secret: in JSON, YAML, environments, code, connection strings, forms and logs. */
export const namedSecret: Detector = {
  name: 'named_secret',
  find: (searched, found) => {
    let from = 0
    for (const match of searched.view.matchAll(named)) {
      if (match.index < from) continue
      const { 1: name = '', 2: quote = '' } = match
      const start = match.index + match[0].length
      const end = quote === '' ? bareEnd(searched.view, start) : quotedEnd(searched, start, quote)
      const context = {
        name,
        glued: match[0].endsWith('=') || quote !== '',
        wholeLine: isLine(searched, match.index, end),
      }
      from = take(searched, start, end, context, found) ? end : start
    }
  },
}

interface Context {
  readonly name: string
  /** Nothing stands between the sign and the value, or the value is quoted. */
  readonly glued: boolean
  /** A line of settings: the name begins it and the value ends it. */
  readonly wholeLine: boolean
}

function take({ text, view }: Searched, start: number, end: number, context: Context, found: Found): boolean {
  const value = view.slice(start, end)
  if (value.length === 0 || placeholder.test(value) || said.test(value) || call.test(view.slice(start, start + 64)))
    return false
  if (!isSecret(value, context)) return false
  // A full stop ends a sentence, not a secret.
  const stop = !context.glued && value.endsWith('.') && !/[^\s]/.test(text.slice(end, end + 1)) ? 1 : 0
  found(start, end - stop, '***')
  return true
}

function isSecret(value: string, { name, glued, wholeLine }: Context): boolean {
  const chosenByPeople = /^(?:pass|pwd|pgpass)/i.test(name)
  if (chosenByPeople) {
    if (value.length < 3) return false
    return glued || wholeLine || !word.test(value)
  }
  if (looksRandom(value)) return true
  return (glued || wholeLine) && value.length >= 12 && !word.test(value) && /\d/.test(value) && !/\s/.test(value)
}

function bareEnd(view: string, start: number): number {
  bare.lastIndex = start
  return start + (bare.exec(view)?.[0].length ?? 0)
}

/** The quote that ends a value is escaped as often as the one that began it; a cut text ends it too. */
function quotedEnd({ text, view }: Searched, start: number, quote: string): number {
  const depth = backslashesBefore(text, start - 1)
  const last = Math.min(view.length, start + valueMax)
  for (let at = start; at < last; at += 1) {
    if (view[at] === '\n' && text[at] === '\n') return at
    if (view[at] === quote) {
      const slashes = backslashesBefore(text, at)
      if (slashes <= depth) return at - slashes
    }
  }
  return last
}

function backslashesBefore(text: string, at: number): number {
  let count = 0
  while (count < 16 && text[at - 1 - count] === '\\') count += 1
  return count
}

function isLine({ view, text }: Searched, nameStart: number, end: number): boolean {
  const rest = text.slice(end, end + 2)
  if (rest !== '' && !/^(?:\s|\\[nr])/.test(rest)) return false
  if (rest !== '' && /^[ \t]\S/.test(rest)) return false
  return /(?:^|\n|\s{2}|- )[\w.-]{0,64}["']?$/.test(view.slice(Math.max(0, nameStart - 72), nameStart))
}
