import { relative, resolve, sep } from 'node:path'
import { collect, type Collector } from '../collector.ts'
import { hostNetwork, isLoopback, publishedPorts } from '../containers/compose-ports.ts'
import { composes, pathBeside, type Service } from '../containers/composes.ts'
import { isReadable } from '../source-file.ts'
import { listed, type Value } from '../values/value.ts'

/** A service of the repository that runs with the settings under judgement. */
export interface SettingsContainer {
  readonly name: string
  /** Of its compose file. */
  readonly path: string
  /** Nobody but the host reaches its ports. */
  readonly keptOnHost: boolean
}

/** None where the repository was not asked for. */
export const containers: Collector<'config', readonly SettingsContainer[]> = async ({ path, repo }) => {
  if (repo === undefined) return []
  const own = relative(repo.root, resolve(path)).split(sep).join('/')
  const files = await collect(composes, repo)
  return files
    .flatMap((parsed) => (isReadable(parsed) ? parsed.value.services : []))
    .filter((service) => !service.fragment && uses(service, own))
    .map((service) => ({
      name: service.name.text,
      path: service.compose.file.path,
      keptOnHost:
        !service.partly &&
        hostNetwork(service) === undefined &&
        publishedPorts(service).every(({ address, missing }) => missing.length === 0 && isLoopback(address)),
    }))
}

function uses({ settings, compose }: Service, own: string): boolean {
  const brought = [
    ...listed(settings.get('env_file')).map((item) => textOf(item, 'path')),
    ...listed(settings.get('volumes')).map((item) => textOf(item, 'source')?.split(':', 1)[0]),
    ...['configs', 'secrets'].flatMap((kind) =>
      listed(settings.get(kind)).map((item) =>
        compose.root
          .map(kind)
          ?.map(textOf(item, 'source') ?? '')
          ?.text('file'),
      ),
    ),
  ]
  return brought.some((source) => {
    if (source === undefined) return false
    const found = pathBeside(compose.file.path, compose.resolve(source).text)
    return found !== undefined && found !== '' && (own === found || own.startsWith(`${found}/`))
  })
}

function textOf(item: Value, key: string): string | undefined {
  if (item.kind === 'scalar') return item.text
  return item.kind === 'map' ? item.text(key) : undefined
}
