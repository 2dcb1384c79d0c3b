export const passwordCharsMin = 12
export const passwordCharsMax = 128

// What people choose where twelve characters are asked for; compared without case, blanks and marks.
const obvious: ReadonlySet<string> = new Set(
  `passwordpassword password1234 password12345 password123456 passw0rd1234 passw0rdpassw0rd administrator administrator1 adminadmin123
   adminadminadmin administrador welcome12345 welcome123456 welcomewelcome letmeinletmein letmein12345 changeme1234 changemechangeme
   changemeplease iloveyou1234 iloveyouiloveyou ilovemyfamily qwertyuiop12 qwertyuiop123 qwertyuiop1234 qwertyuiopasdf qwertyqwerty
   qwerty123456 qwerty1234567 1q2w3e4r5t6y 1q2w3e4r5t6y7u 1qaz2wsx3edc 1qaz2wsx3edc4rfv zaq12wsxcde3 asdfghjkl123 asdfasdfasdf
   zxcvbnm12345 abc123abc123 abcd1234abcd a1b2c3d4e5f6 123qweasdzxc qweasdzxc123 football1234 baseball1234 superman1234 princess1234
   sunshine1234 dragondragon trustno1trustno1 correcthorse correcthorsebatterystaple hunter2hunter2 secretsecret secret123456
   portcullis123 portcullis1234 portcullisadmin opensesame123 thisismypassword mypassword123 mypassword1234 newpassword1 newpassword123
   temporary123 temppassword temppassword1 defaultpassword companyname123 summer202526 winter202526 spring202526 autumn202526`.split(
    /\s+/,
  ),
)

const rows = [
  '0123456789',
  '1234567890',
  'abcdefghijklmnopqrstuvwxyz',
  'qwertyuiop',
  'asdfghjkl',
  'zxcvbnm',
  'qwertyuiopasdfghjklzxcvbnm',
]

/**
 * Why a password is not taken, as a sentence for whoever chose it; undefined where it is. Length counts, composition does not (ASVS
 * 5.0, 6.2): what is refused beside that is what everybody tries first.
 */
export function passwordProblem(password: string, known: readonly string[]): string | undefined {
  const text = password.normalize('NFKC')
  const { length } = Array.from(text)
  if (length < passwordCharsMin) return `Use at least ${passwordCharsMin} characters.`
  if (length > passwordCharsMax) return `Use at most ${passwordCharsMax} characters.`
  if (!text.isWellFormed() || text.includes('\0')) return 'It holds a character that cannot be kept.'
  const plain = text.toLowerCase().replaceAll(/[\s._-]/g, '')
  if (obvious.has(plain) || repeats(plain) || runs(plain)) return 'Choose one that is harder to guess.'
  if (known.some((name) => isMadeOf(withoutDigits(plain), withoutDigits(name))))
    return 'Choose one that is not made of your name.'
  return undefined
}

function withoutDigits(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[\s._-]/g, '')
    .replace(/[\d!]+$/, '')
}

/** The name once, or several times over. */
function isMadeOf(password: string, name: string): boolean {
  return name !== '' && password === name.repeat(Math.max(1, Math.round(password.length / name.length)))
}

/** One to four characters, over and over. */
function repeats(text: string): boolean {
  return /^(.{1,4}?)\1+.{0,3}$/su.test(text)
}

/** Along a row of the keyboard, the alphabet or the digits, forward or back. */
function runs(text: string): boolean {
  return rows.some((row) => {
    const twice = row + row + row
    return twice.includes(text) || Array.from(twice).toReversed().join('').includes(text)
  })
}
