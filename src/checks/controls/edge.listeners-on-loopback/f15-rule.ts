import { configRule } from '../../check.ts'
import { containers, type SettingsContainer } from '../../collect/config/containers.ts'
import { settings, type Settings } from '../../collect/config/settings.ts'
import type { Given } from '../../collect/config/variables.ts'
import { stated, type Evidence } from '../../evidence.ts'
import { about, judgeSettings } from '../../judge-settings.ts'

const listeners = [
  { path: 'listen.grpc', called: 'gRPC', variable: 'GRPC_ADDR' },
  { path: 'listen.http', called: 'HTTP', variable: 'HTTP_ADDR' },
] as const

export const f15Rule = configRule({
  needs: { settings, containers },
  judge: ({ settings: parsed, containers: services }) =>
    judgeSettings(parsed, ['listen'], (all) => judgeListeners(all).map((evidence) => excused(evidence, services))),
})

/** In a container the listeners have to be open to its network: what counts is where its ports are published (R15). */
function excused(evidence: Evidence, services: readonly SettingsContainer[]): Evidence {
  if (evidence.outcome !== 'FAIL' || services.length === 0) return evidence
  const names = services.map(({ name, path }) => `${name} (${path})`).join(', ')
  if (services.every(({ keptOnHost }) => keptOnHost))
    return {
      ...evidence,
      outcome: 'NOT_APPLICABLE',
      detail: `It runs in a container that publishes on loopback: ${names}.`,
    }
  return { ...evidence, detail: `${evidence.detail} Its container publishes ports beyond loopback: ${names}.` }
}

function judgeListeners(all: Settings): readonly Evidence[] {
  const given = listeners.map((listener) => ({ ...listener, values: all.valuesOf(listener.path) }))
  if (all.form !== 'portcullis' && given.every(({ values }) => values.length === 0)) {
    const why = `${all.file.path} sets neither GRPC_ADDR nor HTTP_ADDR: ours then listen on loopback, and where others do it does not say.`
    return [stated('config', 'NOT_APPLICABLE', why)]
  }
  return given.flatMap(({ path, called, variable, values }) => {
    const [holds, ...hidden] = values
    if (holds !== undefined)
      return [judgeAddress(holds, called, all), ...hidden.flatMap((each) => judgeHidden(each, holds, called, all))]
    if (all.form !== 'portcullis') return []
    return [stated('config', 'PASS', `${path} is not set: ${called} listens on loopback.`, { subject: variable })]
  })
}

function judgeAddress(given: Given, called: string, all: Settings): Evidence {
  const reach = all.reachOf(given.text)
  switch (reach.kind) {
    case 'loopback':
      return about(given, 'PASS', `${called} listens on loopback.`)
    case 'local':
      return about(given, 'PASS', `${called} listens on a socket in the file system.`)
    case 'all':
      return about(given, 'FAIL', `${called} listens on all interfaces: whoever reaches this machine reaches it.`)
    case 'address':
      return about(given, 'FAIL', `${called} listens on ${reach.host}, which is not loopback.`)
    case 'name':
      return about(given, 'WARN', `${called} listens on a name, and where that leads is said elsewhere.`, 'low')
    case 'unclear':
      return about(given, 'WARN', `${called} has a listen address that cannot be read here.`, 'low')
    default:
      return reach satisfies never
  }
}

/** A value that another one hides is harmless until that one goes. */
function judgeHidden(given: Given, holds: Given, called: string, all: Settings): readonly Evidence[] {
  if (judgeAddress(given, called, all).outcome !== 'FAIL') return []
  return [about(given, 'WARN', `${called} would listen beyond loopback here, did ${holds.name} not hide it.`)]
}
