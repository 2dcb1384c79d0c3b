/** How sure a name says that its value is a secret. */
export type NameKind =
  /** The key of a signature, a session or an encryption: whatever stands there is the secret. */
  | 'machine'
  /** A password, an API key, a client secret. */
  | 'credential'
  /** Tokens: also the word of parsers, pages and forms. */
  | 'token'

const machineEnds = (
  'JWTSECRET SECRETKEY SESSIONSECRET COOKIESECRET SIGNINGSECRET AUTHSECRET APPSECRET TOKENSECRET JWTKEY ' +
  'SIGNINGKEY ENCRYPTIONKEY HMACKEY HMACSECRET SECRETKEYBASE WEBHOOKSECRET REFRESHSECRET ACCESSSECRET'
).split(' ')
const credentialEnds = ['SECRET', 'PASSWORD', 'PASSWD', 'PASSPHRASE', 'PWD', 'APIKEY', 'SECRETACCESSKEY', 'PRIVATEKEY']
// Words before "token" or "key" that make it something else, or something public.
const harmless =
  /(?:^|_)(?:(?:CSRF|XSRF|PAGE|NEXT|CONTINUATION|CONTINUE|CURSOR|CANCEL|CANCELLATION|INJECTION|PUBLIC|PUBLISHABLE|EOF|BOS|EOS|PAD|UNK|MASK|SEP|CLS|START|END|SPECIAL|LAST|STOP|IMAGE|INVALID|MISSING|EXPIRED|WRONG|FORGOT|RESET|CHANGE|CONFIRM|NO|HAS|IS|SHOW|MAX|MIN|NUM)_?(?:TOKEN|PASSWORD|API_?KEY|SECRET|PWD)|^(?:OLD_?|NEW_?)?PWD)$/

/** What the name says about its value; undefined where nothing. `jwtSecret`, `JWT_SECRET` and `jwt-secret` are one name. */
export function kindOfName(name: string): NameKind | undefined {
  if (name.length < 3 || name.length > 80) return undefined
  const flat = flattened(name)
  if (harmless.test(inWords(name))) return undefined
  if (machineEnds.some((end) => flat.endsWith(end))) return 'machine'
  if (credentialEnds.some((end) => flat.endsWith(end))) return 'credential'
  return flat.endsWith('TOKEN') ? 'token' : undefined
}

/** What a literal is that stands where a secret belongs. */
export type ValueKind =
  /** Names, addresses, templates: it says where the secret is, or that there is none. */
  | 'reference'
  /** What people write until somebody changes it. */
  | 'placeholder'
  /** Long and without pattern. */
  | 'random'
  /** Letters and digits without blanks. */
  | 'mixed'
  | 'word'

const placeholder =
  /change[-_ ]?(?:me|this|it\b|in[-_ ]prod)|(?:dev|development|local|default|demo|dummy|insecure|fallback|super|my|top|not[-_ ]?so)[-_ ]?(?:jwt|session|auth|signing|api|app)?[-_ ]?(?:secret|password|token|key)|keyboard cat|s3cr3t|p[a@]ss(?:w0rd|word[-_]?1)|hunter2|letmein|replace[-_ ]?(?:me|this|in)|for[-_ ]?(?:dev|development|testing)[-_ ]?only|unsafe[-_ ]?secret/i
const instruction = /^(?:your|insert|enter|put|example|sample|xxx|\*{3}|\.{3}|-+$|<|\[)|[-_ ]here$/i
const referenceForm =
  /[$%{}<>\s]|^(?:\/|\.{1,2}\/|~\/)|:\/\/|^(?:vault|arn|op|env|file|secret|ssm|gcp|aws|sm|projects|kv)[:/]|^(?:x-|bearer|basic|authorization$)|^(?:phc_|pk_|AIza|-----BEGIN (?:PUBLIC|CERT))|\.(?:pem|key|txt|json|ya?ml|env|crt|ts|js|py|go)$/i
const emptyWords =
  /^(?:none|null|nil|undefined|false|true|disabled|off|unset|n\/?a|string|str|text|number|required|optional|hidden|redacted|masked|unknown|missing|invalid|anonymous|public|bytes|any|default|unused|ignored|noop)$/i

/** `fallback`: it is taken where the setting of that name is absent, so that even its own name is a value. */
export function kindOfValue(name: string, value: string, fallback = false): ValueKind {
  const text = value.trim()
  if (text.length < 3 || text.length > 400) return 'reference'
  if (placeholder.test(text) && !/[\n{}<>$]/.test(text)) return 'placeholder'
  if (emptyWords.test(text) || referenceForm.test(text)) return 'reference'
  // Code of an example says where the value belongs; a key that nobody put there signs all the same.
  if (instruction.test(text)) return kindOfName(name) === 'machine' ? 'placeholder' : 'reference'
  // The name of a variable, a header, a key of a translation or a setting.
  if (/^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$/.test(text) || /^[a-z]\w*(?:\.[a-z]\w*)+$/i.test(text)) return 'reference'
  if (!fallback && flattened(text) === flattened(name)) return 'reference'
  if (isRandom(text)) return 'random'
  return /[a-z]/i.test(text) && /\d/.test(text) && text.length >= 6 ? 'mixed' : 'word'
}

/** The value only repeats what its name says, as labels and keys do. */
export function repeatsName(name: string, value: string): boolean {
  const [flatName, flatValue] = [flattened(name), flattened(value)]
  return flatValue !== '' && (flatName.includes(flatValue) || flatValue.includes(flatName))
}

/** Long, of several kinds of characters, and without words: nobody makes that up as a label. */
export function isRandom(text: string): boolean {
  if (text.length < 20 || !/^[\w+/=.:~!@#^&*()-]+$/.test(text)) return false
  if (!/[a-z]/i.test(text) || !/\d/.test(text)) return false
  return entropyBits(text) >= 3.4 && !/^[a-z]+\d*(?:[-_./][a-z]+\d*)+$/i.test(text)
}

// Bits for each character (Shannon).
function entropyBits(text: string): number {
  const counts = new Map<string, number>()
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1)
  let bits = 0
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length)
  return bits
}

// `REDIS_PASSWORD` of `redisPassword`: the words count, and "is" is none of them.
function inWords(name: string): string {
  return name.replaceAll(/(?<=[a-z\d])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z\d]+/g, '_').toUpperCase()
}

function flattened(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9]/g, '').toUpperCase()
}
