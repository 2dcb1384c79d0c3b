import { judgeEach, problemsOf, repoCheck } from '../../check.ts'
import { composes } from '../../collect/containers/composes.ts'
import { dockerfiles, dockerfileTemplates } from '../../collect/containers/dockerfiles.ts'
import { kubernetes } from '../../collect/containers/kubernetes.ts'
import { kustomizedDigests } from '../../collect/containers/kustomizations.ts'
import { commandSites } from '../../collect/shell/command-sites.ts'
import { makefiles } from '../../collect/shell/makefiles.ts'
import { shellFiles } from '../../collect/shell/shell-files.ts'
import { isReadable } from '../../collect/source-file.ts'
import { actions, workflows, type Action, type Workflow } from '../../collect/workflows/workflows.ts'
import { stated, type Evidence } from '../../evidence.ts'
import { eachContainer } from '../each-container.ts'
import { imagesOfCommands, mayTakeImages } from './command-images.ts'
import { imagesBuiltHere, ofContainer, ofDockerfile, ofService } from './container-images.ts'
import { imagesOfWorkflow } from './workflow-images.ts'

/** Which digest a tag has now is known to the registry alone: there is no fix. */
export const r28 = repoCheck({
  id: 'R28',
  title: 'Images are named by digest',
  needs: {
    workflows,
    actions,
    dockerfiles,
    dockerfileTemplates,
    composes,
    kubernetes,
    kustomizedDigests,
    shellFiles,
    makefiles,
  },
  judge: (facts) => {
    const builtHere = imagesBuiltHere(facts.composes)
    const ofCommands = imagesOfCommands(commandSites(facts, mayTakeImages), builtHere)
    const evidence = [
      ...judgeEach<Workflow | Action>([...facts.workflows, ...facts.actions], absent, imagesOfWorkflow),
      ...facts.dockerfiles.flatMap((parsed) => [
        ...(isReadable(parsed) ? ofDockerfile(parsed.value, builtHere) : []),
        ...problemsOf(parsed),
      ]),
      ...facts.dockerfileTemplates.map(template),
      ...eachContainer(facts.composes, facts.kubernetes, {
        service: (service) => ofService(service, builtHere),
        container: (container) => ofContainer(container, facts.kustomizedDigests),
      }),
      ...ofCommands.flat(),
      ...[...facts.shellFiles, ...facts.makefiles].flatMap(problemsOf),
    ]
    const found = evidence.filter(({ outcome }) => outcome !== 'NOT_APPLICABLE')
    const looked = facts.workflows.length + facts.actions.length + facts.dockerfiles.length + found.length
    const manifests = facts.composes.length + facts.kubernetes.manifests.length
    return looked + manifests + ofCommands.length > 0 ? found : [stated('repo', 'NOT_APPLICABLE', absent)]
  },
})

const absent =
  'Nothing here names an image: there is no workflow, no Dockerfile, no compose file, no manifest and no script that takes one.'

function template(path: string): Evidence {
  return stated('repo', 'UNKNOWN', `${path} is a template: judge the Dockerfiles that are made from it.`, {
    path,
    subject: 'template of a Dockerfile',
  })
}
