import type { Compose, Service } from '../../collect/containers/composes.ts'
import {
  insideInstruction,
  type Dockerfile,
  type Instruction,
  type Stage,
} from '../../collect/containers/dockerfiles.ts'
import type { Container } from '../../collect/containers/kubernetes.ts'
import { isReadable, type Parsed } from '../../collect/source-file.ts'
import type { Evidence } from '../../evidence.ts'
import { endOfVariables, isPinned, openName, unpinned } from './image.ts'

/** Images that a compose file builds under a name: nobody else's registry gives them. */
export function imagesBuiltHere(composes: readonly Parsed<Compose>[]): ReadonlySet<string> {
  const services = composes.flatMap((parsed) => (isReadable(parsed) ? parsed.value.services : []))
  return new Set(
    services.flatMap(({ settings, compose }) => {
      const image = settings.text('image')
      return image === undefined || settings.get('build') === undefined ? [] : [compose.resolve(image).text]
    }),
  )
}

/** What a service runs, unless it is built here or never fetched. */
export function ofService({ settings, compose }: Service, builtHere: ReadonlySet<string>): readonly Evidence[] {
  const image = settings.scalar('image')
  if (image === undefined || image.value === null || settings.get('build') !== undefined) return []
  if (/^(?:never|build)$/.test(settings.text('pull_policy') ?? '')) return []
  const { text, missing } = compose.resolve(image.text)
  if (missing.length > 0) return openName(image, image.text, image.text.lastIndexOf('}') + 1)
  return text === '' || builtHere.has(text) || isPinned(text) ? [] : [unpinned(image, text)]
}

/** What a container of Kubernetes runs; `kustomized` are names that get their digest elsewhere. */
export function ofContainer({ image, node }: Container, kustomized: ReadonlySet<string>): readonly Evidence[] {
  if (image.text === '' || isPinned(image.text) || node.text('imagePullPolicy') === 'Never') return []
  if (kustomized.has(image.text.replace(/:[\w.-]+$/, ''))) return []
  return image.text.includes('$') ? openName(image, image.text, image.text.length) : [unpinned(image, image.text)]
}

/** What the stages of a Dockerfile go on from and copy from. */
export function ofDockerfile({ stages }: Dockerfile, builtHere: ReadonlySet<string>): readonly Evidence[] {
  const names = new Set(stages.flatMap(({ name }) => (name === undefined ? [] : [name.toLowerCase()])))
  return stages.flatMap((stage) => [
    ...baseOf(stage, builtHere),
    ...stage.instructions.flatMap((instruction) => copied(instruction, names, builtHere)),
  ])
}

function baseOf({ base, baseSpot, parent }: Stage, builtHere: ReadonlySet<string>): readonly Evidence[] {
  const written = baseSpot.file.text.slice(baseSpot.start, baseSpot.end)
  if (parent !== undefined || base === 'scratch') return []
  if (base === undefined) return openName(baseSpot, written, endOfVariables(written))
  return isPinned(base) || builtHere.has(base) || base === '' ? [] : [unpinned(baseSpot, base)]
}

// `COPY --from=image`, and `RUN --mount=type=bind,from=image`.
function copied(
  instruction: Instruction,
  names: ReadonlySet<string>,
  builtHere: ReadonlySet<string>,
): readonly Evidence[] {
  const { keyword, flags, textStart, file, start } = instruction
  if (keyword !== 'COPY' && keyword !== 'RUN') return []
  return flags.flatMap((flag) => {
    const image = (keyword === 'COPY' ? /^--from=(.+)$/ : /^--mount=(?:.*,)?from=([^,]+)/).exec(flag)?.[1]
    if (image === undefined || /^\d+$/.test(image) || names.has(image.toLowerCase())) return []
    if (image === 'scratch' || isPinned(image) || builtHere.has(image)) return []
    const at = file.text.slice(start, textStart).indexOf(image)
    const spot = insideInstruction(instruction, start + at - textStart, start + at + image.length - textStart)
    return image.includes('$') ? openName(spot, image, endOfVariables(image)) : [unpinned(spot, image)]
  })
}
