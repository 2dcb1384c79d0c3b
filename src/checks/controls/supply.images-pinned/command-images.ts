import { interpolate } from '../../collect/containers/interpolation.ts'
import type { CommandSite } from '../../collect/shell/command-sites.ts'
import { actionOf, inputOf } from '../../collect/workflows/uses.ts'
import type { Step } from '../../collect/workflows/workflows.ts'
import { doubtful, type Evidence } from '../../evidence.ts'
import { imageUses, type ImageUse } from './container-commands.ts'
import { endOfVariables, isPinned, openName, unpinned } from './image.ts'

/** A text without one of these words has no command that takes an image. */
export const mayTakeImages = /\b(?:docker|podman|nerdctl|buildah)\b/

/** What the commands of each place fetch and run, but for what is built there; a list for each place that takes an image. */
export function imagesOfCommands(
  sites: readonly CommandSite[],
  composed: ReadonlySet<string>,
): readonly (readonly Evidence[])[] {
  const places = new Map<object, Store>()
  const everywhere = new Set([...composed].map(plain))
  const all = sites.map((site) => {
    const uses = site.commands.flatMap(imageUses)
    const store = storeOf(site, places)
    for (const use of uses) {
      if (use.kind === 'load') store.loads = true
      if (use.kind !== 'build') continue
      store.names.add(plain(use.name))
      // Without a slash it is the name of nobody's repository: it can be built anywhere here, and not be fetched.
      if (!use.name.includes('/') && !use.name.includes('$')) everywhere.add(plain(use.name))
    }
    return { uses, store }
  })
  return all.flatMap(({ uses, store }) => {
    const taking = uses.filter((use) => use.kind !== 'build' && use.kind !== 'load')
    return taking.length === 0 ? [] : [taking.flatMap((use) => judged(use, store, everywhere))]
  })
}

/** The images of the machine that the commands of a file, or of a job, run on. */
interface Store {
  readonly names: Set<string>
  /** There are images in it whose names are not written here. */
  loads: boolean
}

function storeOf({ job, file }: CommandSite, places: Map<object, Store>): Store {
  const known = places.get(job ?? file)
  if (known !== undefined) return known
  const store: Store = { names: new Set(), loads: false }
  for (const step of job?.steps ?? []) buildStep(step, store)
  places.set(job ?? file, store)
  return store
}

function buildStep(step: Step, store: Store): void {
  const action = actionOf(step.uses)
  if (action === 'docker/bake-action') store.loads = true
  if (action !== 'docker/build-push-action') return
  const tags = (inputOf(step, 'tags') ?? '').split(/[\s,]+/).filter((tag) => tag !== '')
  for (const tag of tags) {
    if (tag.includes('${{')) store.loads = true
    else store.names.add(plain(tag))
  }
}

type Taking = Exclude<ImageUse, { readonly kind: 'build' | 'load' }>

function judged(use: Taking, store: Store, everywhere: ReadonlySet<string>): readonly Evidence[] {
  if (use.kind === 'unclear') {
    const { text, spot } = use.option
    return [
      doubtful(spot, `Which word behind ${text} is the image cannot be told.`, { confidence: 'low', subject: text }),
    ]
  }
  const { text: written, spot } = use.image
  // A script with CRLF has the CR in its last words.
  const image = written.trim().replace(/^docker:\/\//, '')
  const { text, missing } = interpolate(image, new Map())
  if (image === '' || isPinned(text) || isLocal(text) || builtInPlace.test(image)) return []
  const starts = use.kind === 'run'
  if (starts && [image, text].some((name) => store.names.has(plain(name)) || everywhere.has(plain(name)))) return []
  if (starts && store.loads)
    return [
      doubtful(spot, `Whether ${image} is fetched or was loaded here cannot be told.`, {
        confidence: 'low',
        subject: image,
      }),
    ]
  if (missing.length > 0 || !reference.test(text)) return openName(spot, image, endOfVariables(image))
  return [unpinned(spot, text)]
}

// What `docker build -q` says is the image that it made.
const builtInPlace = /^(?:\$\(|`)\s*(?:docker|podman|nerdctl|buildah)\s[^|;&]*\b(?:build|bud|load|commit|import)\b/
const reference = /^\w[\w./:@-]*$/

// The id of an image, an archive, a name that Podman gives to what it builds.
function isLocal(image: string): boolean {
  return /^(?:(?:sha256:)?[\da-f]{12,64}$|(?:docker-archive|oci-archive|oci|dir|docker-daemon|containers-storage):|localhost\/)/.test(
    image,
  )
}

// `$NAME` and `${NAME}` are the same, and so is a name with the tag `latest` and without.
function plain(name: string): string {
  return name
    .replaceAll(/\$\{(\w+)\}/g, '$$$1')
    .replace(/^localhost\//, '')
    .replace(/:latest$/, '')
}
