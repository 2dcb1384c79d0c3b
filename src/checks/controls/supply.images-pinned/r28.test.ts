import { describe, expect, it } from 'vitest'
import { judged, places } from '../../checks.fixture.ts'

const path = '.github/workflows/ci.yml'
const digest = `sha256:${'0123456789abcdef'.repeat(4)}`
const ci = (job: string): Record<string, string> => ({
  [path]: `on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n${job}`,
})
const steps = '    steps:\n      - run: make\n'

describe('R28', () => {
  it.each([
    ['no image', steps],
    ['a container by digest', `    container: node@${digest}\n${steps}`],
    ['a tag and a digest', `    container: { image: "ghcr.io/o/r:1.2@${digest}" }\n${steps}`],
    ['a step by digest', `    steps:\n      - uses: docker://alpine:3@${digest}\n`],
    ['no container by an empty name', `    container: ''\n${steps}`],
    [
      'a matrix of digests',
      `    strategy: { matrix: { image: ["a@${digest}", "b@${digest}"] } }\n    container: \${{ matrix.image }}\n${steps}`,
    ],
    [
      'a matrix that has no container for some',
      `    strategy: { matrix: { include: [{ os: a }, { image: "b@${digest}" }] } }\n    container: \${{ matrix.image || '' }}\n${steps}`,
    ],
    ['a name that varies and a digest', `    container: \${{ vars.REGISTRY }}/node@${digest}\n${steps}`],
  ])('R28: holds with %s', async (_, job) => {
    const result = await judged('R28', ci(job))
    expect(result.evidence).toEqual([])
  })

  it('R28: does not apply where nothing may name an image', async () => {
    expect((await judged('R28', { 'README.md': '# nothing' })).outcome).toBe('NOT_APPLICABLE')
  })

  it('R28: a workflow that cannot be read is an error at its place', async () => {
    expect(places(await judged('R28', { [path]: 'on: push\njobs:\n  test: [unclosed\n' }))).toEqual([
      `${path}:4:1 ERROR`,
    ])
  })

  it.each([
    ['block style', '    container: node:22\n', '5:16'],
    ['as a map', '    container:\n      image: node:22\n', '6:14'],
    ['flow style', '    container: { image: node:22 }\n', '5:25'],
    ['quoted', '    "container": "node:22"\n', '5:18'],
    ['anchored', '    container: &image node:22\n    services: { db: { image: *image } }\n', '5:23'],
    ['CRLF', '    container: node:22\r\n', '5:16'],
  ])('R28: is broken by a tag (%s)', async (_, container, place) => {
    const result = await judged('R28', ci(container + steps))
    expect(places(result)).toEqual([`${path}:${place} FAIL`])
    expect(result.evidence[0]?.subject).toBe('node:22')
  })

  it.each([
    ['a service', `    services:\n      db:\n        image: postgres:17\n${steps}`, '7:16'],
    ['a step', '    steps:\n      - uses: docker://alpine:3.20\n', '6:15'],
    ['no tag', `    container: registry:5000/node\n${steps}`, '5:16'],
    ['half a digest', `    container: node@sha256:0123\n${steps}`, '5:16'],
    [
      'one image of a matrix',
      `    strategy:\n      matrix:\n        image:\n          - node@${digest}\n          - node:22\n    container: \${{ matrix.image }}\n${steps}`,
      '9:13',
    ],
    [
      'a tag of a matrix',
      `    strategy: { matrix: { v: [22] } }\n    container: node:\${{ matrix.v }}\n${steps}`,
      '6:16',
    ],
    ['an alternative', `    container: \${{ inputs.x && 'node:22' || '' }}\n${steps}`, '5:16'],
    ['a tag behind a name that varies', `    container: \${{ vars.REGISTRY }}/node:22\n${steps}`, '5:16'],
  ])('R28: is broken by %s', async (_, job, place) => {
    expect(places(await judged('R28', ci(job)))).toEqual([`${path}:${place} FAIL`])
  })

  it.each([
    ['an input', `    container: \${{ inputs.image }}\n${steps}`],
    [
      'a matrix that is computed',
      `    strategy: { matrix: "\${{ fromJSON(needs.a.outputs.m) }}" }\n    container: \${{ matrix.image }}\n${steps}`,
    ],
  ])('R28: an image by %s is not decided', async (_, job) => {
    const { evidence } = await judged('R28', ci(job))
    expect(evidence.map(({ outcome, confidence }) => [outcome, confidence])).toEqual([['WARN', 'low']])
  })

  it.each([
    ['an image', 'docker://alpine:3.20', 'FAIL'],
    ['an image by digest', `docker://alpine@${digest}`, 'PASS'],
    ['its own Dockerfile', 'Dockerfile', 'PASS'],
  ])('R28: an action that runs %s', async (_, image, outcome) => {
    const files = { 'action.yml': `runs:\n  using: docker\n  image: ${image}\n` }
    expect((await judged('R28', files)).outcome).toBe(outcome)
  })

  describe('Dockerfiles', () => {
    const dockerfile = (text: string): Record<string, string> => ({ Dockerfile: text })
    it.each([
      ['a digest', `FROM --platform=linux/amd64 node:22@${digest}\n`],
      ['nothing at all', 'FROM scratch\nCOPY a /\n'],
      ['an earlier stage', `FROM a@${digest} AS Build\nFROM build\nCOPY --from=build /a /\nCOPY --from=0 /a /\n`],
      ['an argument with a digest', `ARG BASE=node@${digest}\nFROM $BASE\n`],
      ['a registry that varies', `ARG REGISTRY\nFROM \${REGISTRY}/node@${digest}\n`],
    ])('R28: hold with %s', async (_, text) => {
      expect((await judged('R28', dockerfile(text))).evidence).toEqual([])
    })

    it.each([
      ['a tag', 'FROM node:22\n', '1:6 FAIL'],
      ['a tag behind a flag', 'FROM --platform=$BUILDPLATFORM node:22 AS build\n', '1:32 FAIL'],
      ['the default of an argument', 'ARG V=22\r\nFROM node:${V}\r\n', '2:6 FAIL'],
      ['a tag behind a registry that varies', 'ARG R\nFROM $R/node:22\n', '2:6 FAIL'],
      ['an argument without default', 'ARG BASE\nFROM $BASE\n', '2:6 WARN'],
      ['an image that is copied from', 'FROM scratch\nCOPY --from=nginx:1 /a /\n', '2:13 FAIL'],
      ['an image that is mounted', 'FROM scratch\nRUN --mount=type=bind,from=nginx:1,target=/x ls\n', '2:28 FAIL'],
    ])('R28: with %s', async (_, text, place) => {
      expect(places(await judged('R28', dockerfile(text)))).toEqual([`Dockerfile:${place}`])
    })

    it('R28: a template of one is not decided', async () => {
      expect((await judged('R28', { 'Dockerfile.j2': 'FROM {{ base }}\n' })).outcome).toBe('UNKNOWN')
    })
  })

  describe('compose files and manifests', () => {
    const compose = (service: string): Record<string, string> => ({ 'compose.yaml': `services:\n  a:\n${service}` })
    it.each([
      ['a digest', `    image: redis:8@${digest}\n`, []],
      ['a tag', '    image: redis:8\n', ['3:12 FAIL']],
      ['a tag in braces', '    { image: "redis:8" }\n', ['3:14 FAIL']],
      ['its own build', '    build: .\n    image: a:dev\n  b:\n    image: a:dev\n', []],
      ['what is never fetched', '    image: a:dev\n    pull_policy: never\n', []],
      ['the default of a variable', '    image: redis:${V:-8}\n', ['3:12 FAIL']],
      ['a variable', '    image: ${IMAGE}\n', ['3:12 WARN']],
    ])('R28: a service with %s', async (_, service, found) => {
      expect(places(await judged('R28', compose(service)))).toEqual(found.map((place) => `compose.yaml:${place}`))
    })

    it.each([
      ['a digest', `nginx@${digest}`, []],
      ['a tag', 'nginx:1.27', ['8:14 FAIL']],
    ])('R28: a container with %s', async (_, image, found) => {
      const text = `apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\nspec:\n  containers:\n    - name: a\n      image: ${image}\n`
      const result = await judged('R28', { 'pod.yaml': text })
      expect(places(result)).toEqual(found.map((place) => `pod.yaml:${place}`))
    })

    it('R28: a kustomization may be what puts the digest to an image', async () => {
      const files = {
        'pod.yaml': 'apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - name: a\n      image: nginx:1.27\n',
        'kustomization.yaml': `images:\n  - name: nginx\n    digest: ${digest}\n`,
      }
      expect((await judged('R28', files)).evidence).toEqual([])
    })
  })

  it('R28: a base image of a million variables takes no long time', async () => {
    const before = performance.now()
    expect((await judged('R28', { Dockerfile: `FROM ${'$a'.repeat(500_000)}\n` })).outcome).toBe('WARN')
    expect(performance.now() - before).toBeLessThan(5000)
  })
})
