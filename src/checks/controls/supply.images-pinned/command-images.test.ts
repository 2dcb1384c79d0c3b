import { describe, expect, it } from 'vitest'
import { judged, places } from '../../checks.fixture.ts'

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`
const script = (text: string): Record<string, string> => ({ 'run.sh': text })
const ci = (steps: string): Record<string, string> => ({
  '.github/workflows/ci.yml': `on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n${steps}`,
})
const found = async (files: Readonly<Record<string, string>>): Promise<readonly (string | undefined)[]> =>
  (await judged('R28', files)).evidence
    .filter(({ outcome }) => outcome !== 'NOT_APPLICABLE')
    .map(({ outcome, subject }) => `${outcome} ${subject}`)

describe('R28: commands', () => {
  it.each([
    ['a pull', 'docker pull postgres:17', '1:13'],
    ['a run', 'docker run alpine', '1:12'],
    ['a create', 'podman container create --name a alpine:3', '1:34'],
    ['what runs it', 'sudo -E timeout 60 docker image pull -q alpine:3', '1:41'],
    ['options of the program', 'docker --context prod -H tcp://a:1 run alpine:3', '1:40'],
    ['flags', 'docker run --rm -it --init --privileged alpine:3 sh -c "a b"', '1:41'],
    ['options with values', 'docker run --name a -e A=b --network=host -v /a:/b alpine:3 ls', '1:52'],
    ['values in the letters', 'docker run -itp 80:80 -p81:81 -eA=b alpine:3', '1:37'],
    ['the end of options', 'nerdctl run --rm -- alpine:3', '1:21'],
    ['a transport', 'podman pull docker://alpine:3', '1:13'],
    ['half a digest', 'docker run alpine@sha256:0123', '1:12'],
    ['a substitution', 'id=$(docker run -d "alpine:3")', '1:20'],
    ['a condition in a function', 'f() {\n  if ! docker pull alpine:3; then exit; fi\n}', '2:20'],
    ['the default of a variable', 'docker run ${IMAGE:-alpine:3}', '1:12'],
    ['a tag behind a registry that varies', 'docker run "$REGISTRY/app:1.2"', '1:12'],
    ['a line that goes on', 'docker run \\\n  --rm \\\n  alpine:3\n', '3:3'],
    ['CRLF', 'true\r\ndocker run alpine:3\r\n', '2:12'],
  ])('R28: are broken by %s', async (_, text, place) => {
    expect(places(await judged('R28', script(text)))).toEqual([`run.sh:${place} FAIL`])
  })

  it('R28: are looked at in steps, actions, makefiles and Dockerfiles', async () => {
    const files = {
      ...ci('      - run: |\n          true\n          docker run alpine:3\n'),
      'action.yml': 'runs:\n  using: composite\n  steps:\n    - { shell: bash, run: docker pull alpine:3 }\n',
      Makefile: 'DOCKER ?= docker\nIMAGE = alpine:3\ntest:\n\t@$(DOCKER) run $(IMAGE) ls\n',
      Dockerfile: 'FROM scratch\nRUN docker pull alpine:3\n',
    }
    expect(places(await judged('R28', files)).toSorted()).toEqual([
      '.github/workflows/ci.yml:8:22 FAIL',
      'Dockerfile:2:17 FAIL',
      'Makefile:4:17 FAIL',
      'action.yml:4:39 FAIL',
    ])
  })

  it.each([
    ['a digest', `docker run --rm alpine:3@${digest} sh`],
    ['a digest behind names that vary', `docker pull $REGISTRY/alpine@${digest}`],
    ['a comment', '# docker run alpine:3'],
    ['a here-document', 'cat <<EOF\ndocker run alpine:3\nEOF'],
    ['what is printed', 'echo "docker run alpine:3"; echo docker run alpine:3'],
    ['the arguments of what is run', `docker run docker@${digest} docker pull alpine:3`],
    ['Compose', 'docker compose run alpine:3\ndocker compose pull db:1\ndocker-compose run db:1'],
    [
      'other commands',
      'docker push a:1; docker rmi a:1; docker exec a run b:1; docker volume create a; docker network create b; docker buildx create --use',
    ],
    ['no image', 'docker run --help\nxargs docker pull\ndocker run -e'],
    ['what is never fetched', 'docker run --pull=never app:1\ndocker run --pull never app:1'],
    ['an id', 'docker run 0123456789ab'],
    ['a folder', 'podman run --rootfs /srv/root'],
    ['an archive', 'podman pull oci-archive:/tmp/app.tar'],
    ['what it builds', 'docker build -t app:test .\ndocker run --rm app:test'],
    ['what it builds by another option', 'docker buildx build --load --tag=org/app .\ndocker run org/app:latest'],
    ['what it builds under a variable', 'docker build -t "$IMAGE:$TAG" .\ndocker run ${IMAGE}:${TAG}'],
    ['what it builds in place', 'docker run --rm $(docker build -q .) ls'],
    ['what it gives a name', 'docker tag 0123456789ab org/app:1\ndocker run org/app:1'],
    ['what Podman builds', 'buildah bud -t app .\npodman run localhost/app'],
  ])('R28: hold with %s', async (_, text) => {
    expect(await found(script(text))).toEqual([])
  })

  it.each([
    ['a variable', 'docker run --rm "$IMAGE" ls', 'WARN $IMAGE'],
    ['a tag that varies', 'docker pull app:${TAG}', 'WARN app:${TAG}'],
    ['an argument', 'docker pull "$1"', 'WARN $1'],
    ['options that vary', 'docker run "${ARGS[@]}" alpine:3', 'WARN ${ARGS[@]}'],
    ['an option that nobody knows', 'docker run --new alpine:3', 'WARN --new'],
    ['a placeholder', 'xargs -I{} docker pull {}', 'WARN {}'],
    ['an archive that was loaded', 'docker load -i app.tar\ndocker run app:1', 'WARN app:1'],
  ])('R28: are not decided with %s', async (_, text, evidence) => {
    expect(await found(script(text))).toEqual([evidence])
  })

  it('R28: a pull fetches also what the script builds', async () => {
    expect(await found(script('docker pull org/app:1\ndocker build -t org/app:1 .\n'))).toEqual(['FAIL org/app:1'])
  })

  it('R28: what one file builds, another one fetches, unless no registry can have it', async () => {
    const files = {
      'build.sh': 'docker build -t app:1 -t ghcr.io/org/app:1 .\ndocker push ghcr.io/org/app:1\n',
      'deploy.sh': 'docker run app:1\ndocker run ghcr.io/org/app:1\n',
    }
    expect(await found(files)).toEqual(['FAIL ghcr.io/org/app:1'])
  })

  it('R28: a job has what its steps build', async () => {
    const build = (tags: string): string =>
      `      - uses: docker/build-push-action@v6\n        with: { tags: "${tags}" }\n`
    const run = '      - run: docker run org/app:1\n'
    expect(await found(ci(build('org/app:1, org/app:2') + run))).toEqual([])
    expect(await found(ci(build('${{ steps.meta.outputs.tags }}') + run))).toEqual(['WARN org/app:1'])
    expect(await found(ci(run))).toEqual(['FAIL org/app:1'])
  })

  it('R28: a script that takes an image by digest alone is a PASS, one that takes none is not looked at', async () => {
    expect((await judged('R28', script(`docker run alpine@${digest}`))).outcome).toBe('PASS')
    expect((await judged('R28', script('docker ps'))).outcome).toBe('NOT_APPLICABLE')
  })
})
