import type { Settings } from '../collect/config/settings.ts'
import type { Given } from '../collect/config/variables.ts'
import { stated, type Evidence } from '../evidence.ts'
import { about } from '../judge-settings.ts'

/** Something that is off unless a setting turns it on, and may be on for a while by a dated waiver. */
interface Flag {
  /** The section of the settings with its `enabled` and its `waiver`. */
  readonly section: string
  /** Its name within a sentence. */
  readonly name: string
  /** The plain variable that turns it on. */
  readonly variable: string
  /** Why it must not be on. */
  readonly harm: string
}

const waiverDaysMax = 180
const dayMs = 24 * 60 * 60 * 1000

/** Whether it is off in the settings, and in those that other settings hide. */
export function judgeFlagOff(all: Settings, flag: Flag): readonly Evidence[] {
  const { section, name, variable } = flag
  const [holds, ...hidden] = all.valuesOf(`${section}.enabled`)
  if (holds === undefined) {
    if (all.form === 'foreign') {
      const why = `${all.file.path} holds the settings of another program, and none for ${name}.`
      return [stated('config', 'NOT_APPLICABLE', why)]
    }
    if (all.form === 'variables' && !isOurs(all)) {
      const why = `${all.file.path} sets nothing of ours, and no ${variable}: with other servers ${name} may be on all the same.`
      return [stated('config', 'NOT_APPLICABLE', why)]
    }
    return [stated('config', 'PASS', `${atStart(name)} is not set, and so it is off.`)]
  }
  const stale = hidden.filter(({ text }) => meaning(text) === true)
  return [
    judgeValue(holds, all, flag),
    ...stale.map((each) => about(each, 'WARN', `${atStart(name)} would be on here, did ${holds.name} not hide it.`)),
  ]
}

function isOurs(all: Settings): boolean {
  const listeners = ['listen.grpc', 'listen.http'].flatMap((listener) => all.valuesOf(listener))
  return listeners.length > 0 || /^[ \t]*(?:export[ \t]+)?PORTCULLIS_/m.test(all.file.text)
}

function judgeValue(given: Given, all: Settings, flag: Flag): Evidence {
  const on = meaning(given.text)
  if (on === false) return about(given, 'PASS', `${atStart(flag.name)} is off.`)
  if (on === undefined) return about(given, 'WARN', `Whether this turns ${flag.name} on cannot be told.`, 'low')
  return waived(given, all, flag) ?? about(given, 'FAIL', `${atStart(flag.name)} is on: ${flag.harm}.`)
}

/** The dated waiver that production demands. */
function waived(given: Given, all: Settings, { section, name }: Flag): Evidence | undefined {
  const [reason, owner, expires] = ['reason', 'owner', 'expires'].map(
    (key) => all.valuesOf(`${section}.waiver.${key}`)[0]?.text,
  )
  if (reason === undefined || owner === undefined || expires === undefined) return undefined
  const end = Date.parse(`${expires}T23:59:59.999Z`)
  if (!/^\d{4}-\d{2}-\d{2}$/.test(expires) || Number.isNaN(end)) return undefined
  const on = `${atStart(name)} is on`
  if (end < all.now.getTime()) return about(given, 'FAIL', `${on}, and its waiver ended on ${expires}.`)
  if (end > all.now.getTime() + waiverDaysMax * dayMs)
    return about(given, 'FAIL', `${on}, and its waiver runs for longer than ${waiverDaysMax} days.`)
  return about(given, 'WARN', `${on} until ${expires}, on the word of ${owner}: ${reason}`)
}

/** As the server and other programs of this field read a flag; undefined where they would disagree. */
function meaning(text: string): boolean | undefined {
  const word = text.trim().toLowerCase()
  if (['true', '1', 'yes', 'y', 'on', 't', 'enabled'].includes(word)) return true
  if (['false', '0', 'no', 'n', 'off', 'f', 'disabled'].includes(word)) return false
  return undefined
}

function atStart(name: string): string {
  return `${name.charAt(0).toUpperCase()}${name.slice(1)}`
}
