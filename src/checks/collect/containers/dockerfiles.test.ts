import { expect, it } from 'vitest'
import { dockerfiles, insideInstruction, scriptOf, type Dockerfile } from './dockerfiles.ts'
import { isReadable } from '../source-file.ts'
import { Tree } from '../tree.ts'

const text = `# syntax=docker/dockerfile:1
ARG VERSION=3.1
FROM --platform=$BUILDPLATFORM alpine:\${VERSION} AS build
RUN --mount=type=cache,target=/x apk add a \\
  # comment

  b && pip install x
RUN <<EOF
pip install y
EOF
RUN ["pip", "install", "z"]
FROM BUILD
ENV A=1 B="a b" C=$A
USER \${C}
`

async function read(content: string, path = 'Dockerfile'): Promise<Dockerfile | undefined> {
  const [parsed] = await dockerfiles(Tree.of({ [path]: content }))
  return parsed !== undefined && isReadable(parsed) ? parsed.value : undefined
}

it.each([
  ['LF', text],
  ['CRLF', text.replaceAll('\n', '\r\n')],
  [
    'backticks for continuation',
    `# escape=\`\n${text.replace('add a \\', 'add a `').replace('# syntax=docker/dockerfile:1\n', '')}`,
  ],
])('V10: a Dockerfile is read with its stages, variables and scripts (%s)', async (_, content) => {
  const dockerfile = await read(content)
  const [build, last] = dockerfile?.stages ?? []
  expect([build?.name, build?.base, last?.base, last?.parent === build]).toEqual(['build', 'alpine:3.1', 'BUILD', true])
  expect(last?.instructions.at(-1)?.expanded).toBe('1')
  expect(last?.variables.get('B')).toBe('a b')
  const [apk, heredoc, exec] = build?.instructions.map((each) => scriptOf(each)) ?? []
  // What a shell makes of it: the lines are one.
  expect(apk?.text.replaceAll(/\\\n/g, ' ').replaceAll(/\s+/g, ' ')).toBe('apk add a b && pip install x')
  expect(heredoc?.text.trim()).toBe('pip install y')
  expect(exec).toBeUndefined()
  const [run] = build?.instructions ?? []
  const at = run?.text.indexOf('pip') ?? -1
  if (run === undefined) throw new Error('there is no RUN')
  const spot = insideInstruction(run, at, at + 3)
  expect([run.flags, content.slice(spot.start, spot.end)]).toEqual([['--mount=type=cache,target=/x'], 'pip'])
})

it.each(['api.Dockerfile', 'Dockerfile.api', 'deploy/Containerfile', 'docker/Dockerfile-dev'])(
  'V10: %s is a Dockerfile',
  async (path) => {
    expect(await read('FROM a\n', path)).toBeDefined()
  },
)

it.each(['Dockerfile.dockerignore', 'Dockerfile.md', 'dockerfile.ts', 'Dockerfile.j2'])(
  'V10: %s is none',
  async (path) => {
    expect(await dockerfiles(Tree.of({ [path]: 'x' }))).toEqual([])
  },
)

it.each([
  ['lines', 'FROM a\n'.repeat(30_000)],
  ['heredocs', `FROM a\nRUN ${'<<A '.repeat(10_000)}\n`],
])('V10: a Dockerfile of more %s than anybody writes is not read', async (what, flood) => {
  const [parsed] = await dockerfiles(Tree.of({ Dockerfile: flood }))
  expect(parsed !== undefined && !isReadable(parsed) && parsed.unreadable.why).toContain(what)
})
