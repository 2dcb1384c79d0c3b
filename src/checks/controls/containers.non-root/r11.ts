import { problemsOf, repoCheck } from '../../check.ts'
import { composes, type Service } from '../../collect/containers/composes.ts'
import { dockerfiles, dockerfileTemplates, type Dockerfile } from '../../collect/containers/dockerfiles.ts'
import { kubernetes } from '../../collect/containers/kubernetes.ts'
import { isReadable, type Parsed } from '../../collect/source-file.ts'
import { doubtful, failing, stated, unjudged, type Evidence } from '../../evidence.ts'
import {
  containerSetting,
  containerSpot,
  containerSubject,
  eachContainer,
  serviceSubject,
  truth,
} from '../each-container.ts'
import { runsAsRoot, runsUnprivileged, startsAsRootAndDrops } from '../known-images.ts'
import type { Container } from '../../collect/containers/kubernetes.ts'
import { buildOf, judgeDockerfile, rootName } from './dockerfile-user.ts'

export const r11 = repoCheck({
  id: 'R11',
  title: 'Containers run as a user other than root',
  needs: { dockerfiles, dockerfileTemplates, composes, kubernetes },
  judge: ({ dockerfiles: files, dockerfileTemplates: templates, composes: projects, kubernetes: manifests }) => {
    const services = projects.flatMap((each) => (isReadable(each) ? each.value.services : []))
    const builders = Map.groupBy(services, (service) => buildOf(service)?.path)
    const evidence = [
      ...files.flatMap((parsed) => dockerfileEvidence(parsed, builders.get(parsed.file.path) ?? [])),
      ...templates.map(template),
    ]
    const paths = new Set(files.map(({ file }) => file.path))
    const rest = eachContainer(projects, manifests, {
      service: (service) => serviceUser(service, paths),
      container: containerUser,
    })
    const nothing = rest.length === 1 && rest[0]?.outcome === 'NOT_APPLICABLE'
    if (!nothing) return [...evidence, ...rest]
    return files.length + templates.length > 0
      ? evidence
      : [stated('repo', 'NOT_APPLICABLE', 'There is no Dockerfile, no compose file and no Kubernetes manifest.')]
  },
})

// A service that names its user makes up for an image that does not, where nothing else runs that image.
function dockerfileEvidence(parsed: Parsed<Dockerfile>, users: readonly Service[]): readonly Evidence[] {
  if (!isReadable(parsed)) return problemsOf(parsed)
  const named = users.length > 0 && users.every((service) => statedUser(service) === 'other')
  const targets = new Set(users.flatMap((service) => buildOf(service)?.target ?? []))
  return [...(named ? [] : judgeDockerfile(parsed.value, targets)), ...problemsOf(parsed)]
}

function template(path: string): Evidence {
  return stated('repo', 'UNKNOWN', `${path} is a template: judge the Dockerfiles that are made from it.`, {
    path,
    subject: 'template of a Dockerfile',
  })
}

function statedUser({ settings, compose }: Service): 'root' | 'other' | 'unclear' | undefined {
  const user = settings.scalar('user')
  if (user === undefined || user.value === null) return undefined
  const { text, missing } = compose.resolve(user.text)
  if (missing.length > 0) return 'unclear'
  if (text === '') return undefined
  return rootName(text) ? 'root' : 'other'
}

function serviceUser(service: Service, dockerfilePaths: ReadonlySet<string>): readonly Evidence[] {
  const { settings, name, fragment, partly, compose } = service
  const user = settings.scalar('user')
  const found = statedUser(service)
  if (found === 'other') return []
  if (user !== undefined && found === 'root')
    return [failing(user, 'The service runs as root.', { subject: serviceSubject(service, 'user root') })]
  if (user !== undefined && found === 'unclear')
    return [doubtful(user, 'Who it runs as depends on a variable without a default.', { confidence: 'low' })]
  if (fragment || partly) return []
  const subject = serviceSubject(service, 'no user')
  const build = buildOf(service)
  if (build !== undefined) {
    if (build.path !== undefined && dockerfilePaths.has(build.path)) return []
    return [unjudged('UNKNOWN', name, 'It names no user, and the Dockerfile that it builds is not here.', { subject })]
  }
  const image = compose.resolve(settings.text('image') ?? '')
  if (image.missing.length > 0 && image.text === '')
    return [doubtful(name, 'It names no user, and its image is a variable.', { confidence: 'low', subject })]
  if (runsUnprivileged(image.text)) return []
  if (startsAsRootAndDrops(image.text))
    return [
      doubtful(name, 'The service starts as root, and its image drops that by itself: name the user.', {
        confidence: 'medium',
        subject,
      }),
    ]
  const confidence = runsAsRoot(image.text) ? 'high' : 'medium'
  const detail = runsAsRoot(image.text)
    ? 'The service names no user, and its image runs as root.'
    : 'Nothing says that the service does not run as root: it names no user, and images run as root where they name none.'
  return [failing(name, detail, { confidence, subject })]
}

function containerUser(container: Container): readonly Evidence[] {
  const nonRoot = containerSetting(container, 'runAsNonRoot')
  const user = containerSetting(container, 'runAsUser')
  const plain = (text: string): { text: string; missing: readonly string[] } => ({ text, missing: [] })
  if (user !== undefined && /^0+$/.test(user.text))
    return [failing(user, 'The container runs as root.', { subject: containerSubject(container, 'runAsUser 0') })]
  if (truth(nonRoot, plain) === true || (user !== undefined && /^\d+$/.test(user.text))) return []
  const detail =
    nonRoot === undefined
      ? 'Neither the container nor its pod says runAsNonRoot: true.'
      : 'The container is allowed to run as root.'
  return [
    failing(nonRoot ?? containerSpot(container), detail, { subject: containerSubject(container, 'runAsNonRoot') }),
  ]
}
