import { configRule } from '../../check.ts'
import { settings, type Settings } from '../../collect/config/settings.ts'
import type { Given } from '../../collect/config/variables.ts'
import { stated, type Evidence } from '../../evidence.ts'
import { about, judgeSettings } from '../../judge-settings.ts'

const path = 'reflection.enabled'
const waiverDaysMax = 180
const dayMs = 24 * 60 * 60 * 1000

export const f16Rule = configRule({
  needs: { settings },
  judge: ({ settings: parsed }) => judgeSettings(parsed, ['reflection'], judgeReflection),
})

function judgeReflection(all: Settings): readonly Evidence[] {
  const [holds, ...hidden] = all.valuesOf(path)
  if (holds === undefined) {
    if (all.form === 'foreign') {
      const why = `${all.file.path} holds the settings of another program, and none for reflection.`
      return [stated('config', 'NOT_APPLICABLE', why)]
    }
    if (all.form === 'variables' && !isOurs(all)) {
      const why = `${all.file.path} sets nothing of ours, and no ENABLE_REFLECTION: with other servers reflection may be on all the same.`
      return [stated('config', 'NOT_APPLICABLE', why)]
    }
    return [stated('config', 'PASS', 'Reflection is not set, and so it is off.')]
  }
  const stale = hidden.filter(({ text }) => meaning(text) === true)
  return [
    judgeValue(holds, all),
    ...stale.map((each) => about(each, 'WARN', `Reflection would be on here, did ${holds.name} not hide it.`)),
  ]
}

function isOurs(all: Settings): boolean {
  const listeners = ['listen.grpc', 'listen.http'].flatMap((listener) => all.valuesOf(listener))
  return listeners.length > 0 || /^[ \t]*(?:export[ \t]+)?PORTCULLIS_/m.test(all.file.text)
}

function judgeValue(given: Given, all: Settings): Evidence {
  const on = meaning(given.text)
  if (on === false) return about(given, 'PASS', 'Reflection is off.')
  if (on === undefined) return about(given, 'WARN', 'Whether this turns reflection on cannot be told.', 'low')
  return waived(given, all) ?? about(given, 'FAIL', 'Reflection is on: it shows the whole contract to whoever asks.')
}

/** The dated waiver that production demands (`reflection.waiver`). */
function waived(given: Given, all: Settings): Evidence | undefined {
  const [reason, owner, expires] = ['reason', 'owner', 'expires'].map(
    (key) => all.valuesOf(`reflection.waiver.${key}`)[0]?.text,
  )
  if (reason === undefined || owner === undefined || expires === undefined) return undefined
  const end = Date.parse(`${expires}T23:59:59.999Z`)
  if (!/^\d{4}-\d{2}-\d{2}$/.test(expires) || Number.isNaN(end)) return undefined
  if (end < all.now.getTime()) return about(given, 'FAIL', `Reflection is on, and its waiver ended on ${expires}.`)
  if (end > all.now.getTime() + waiverDaysMax * dayMs)
    return about(given, 'FAIL', `Reflection is on, and its waiver runs for longer than ${waiverDaysMax} days.`)
  return about(given, 'WARN', `Reflection is on until ${expires}, on the word of ${owner}: ${reason}`)
}

/** As the server and other programs of this field read a flag; undefined where they would disagree. */
function meaning(text: string): boolean | undefined {
  const word = text.trim().toLowerCase()
  if (['true', '1', 'yes', 'y', 'on', 't', 'enabled'].includes(word)) return true
  if (['false', '0', 'no', 'n', 'off', 'f', 'disabled'].includes(word)) return false
  return undefined
}
