import { describe, expect, it } from 'vitest'
import { composes, type Service } from './composes.ts'
import { interpolate } from './interpolation.ts'
import { isReadable } from '../source-file.ts'
import { Tree } from '../tree.ts'
import { texts } from '../values/value.ts'

async function service(files: Readonly<Record<string, string>>, name = 'web'): Promise<Service> {
  const found = (await composes(Tree.of(files))).flatMap((each) => (isReadable(each) ? each.value.services : []))
  const [first] = found.filter((each) => each.name.text === name)
  if (first === undefined) throw new Error(`there is no service ${name}`)
  return first
}

it('V10: an override file adds to lists, replaces commands, and takes back what it resets', async () => {
  const { settings } = await service({
    'docker-compose.yml':
      'services:\n  web:\n    image: a\n    cap_add: [A]\n    command: [x]\n    ports: ["1:1"]\n    dns: [a]\n    environment: [A=1, B=2]\n',
    'docker-compose.override.yml':
      'services:\n  web:\n    cap_add: [B]\n    command: [y]\n    ports: !reset []\n    dns: !override [b]\n    environment: { B: "3" }\n',
  })
  const environment = settings.map('environment')
  expect([
    texts(settings.get('cap_add')),
    texts(settings.get('command')),
    settings.get('ports'),
    texts(settings.get('dns')),
  ]).toEqual([['A', 'B'], ['y'], undefined, ['b']])
  expect([environment?.text('A'), environment?.text('B')]).toEqual(['1', '3'])
})

it('V10: a service is extended, from its own file and from another', async () => {
  const { settings, partly } = await service({
    'compose.yaml':
      'services:\n  base: { image: a, user: "1" }\n  web:\n    extends: { file: other/common.yml, service: app }\n    user: "2"\n',
    'other/common.yml': 'services:\n  app: { image: b, read_only: true }\n',
  })
  expect([settings.text('image'), settings.text('user'), settings.text('read_only'), partly]).toEqual([
    'b',
    '2',
    'true',
    false,
  ])
  const unknown = await service({ 'compose.yaml': 'services:\n  web: { extends: gone }\n' })
  expect([unknown.partly, unknown.compose.unseen.length]).toEqual([true, 1])
})

it.each([
  ['$A-${A}', 'a-a', []],
  ['${B:-x}${B-y}', 'xy', []],
  ['${E:-x}${E-y}', 'x', []],
  ['${B:-${A}}', 'a', []],
  ['${A:+then}${B:+then}', 'then', []],
  ['${B:?why}$B', '', ['B', 'B']],
  ['$$A $ ${', '$A $ ${', []],
])('V10: %s becomes what compose makes of it', (text, becomes, missing) => {
  const env = new Map([
    ['A', 'a'],
    ['E', ''],
  ])
  const { text: found, missing: absent } = interpolate(text, env)
  expect([found, absent]).toEqual([becomes, missing])
})

describe('compose files under names of their own', () => {
  const of = async (files: Readonly<Record<string, string>>): Promise<readonly string[]> =>
    (await composes(Tree.of(files))).map((each) =>
      isReadable(each)
        ? `${each.file.path}: ${each.value.services.map(({ name, fragment }) => name.text + (fragment ? '*' : '')).join(' ')}`
        : `${each.file.path}: ${each.unreadable.why}`,
    )
  const base = { 'compose.yaml': 'services:\n  web: { image: a }\n  db: { image: b }\n' }

  it.each([
    ['docker-compose.override.yml', 'services:\n  db:\n    image: b\n'],
    ['compose.prod.yml', 'services:\n  db:\n    image: b\n'],
    ['deploy/stack.yml', 'version: "3.8"\nservices:\n  db:\n    image: b\nnetworks: {}\nx-a: 1\n'],
    ['infra.yaml', '# all of it\n---\n"services":\r\n  db:\r\n    build: ./b\r\n'],
    ['dev.YAML', 'x-b: &b\n  image: b\nservices: &all\n  db:\n    <<: *b\n'],
    ['flow.yml', '{ services: { db: { build: { context: . } } } }\n'],
  ])('R28: %s is one', async (path, text) => {
    expect(await of({ [path]: text })).toEqual([`${path}: db`])
  })

  it.each([
    ['a workflow', '.github/workflows/ci.yml', 'on: push\njobs: {}\nservices:\n  a: { image: b }\n'],
    ['a workflow of another host', '.woodpecker.yml', 'steps: []\nservices:\n  db:\n    image: b\n'],
    ['jobs of GitLab', '.gitlab-ci.yml', 'services:\n  - name: b\n    alias: image\nbuild:\n  script: [a]\n'],
    ['a container of dependencies', 'config/services.yaml', 'services:\n  _defaults: { autowire: true }\n'],
    ['Lando', '.lando.yml', 'name: a\nservices:\n  web: { type: php, build: [a], image: b }\n'],
    ['an Azure project', 'azure.yaml', 'name: a\nservices:\n  web: { host: containerapp, image: b }\n'],
    ['a manifest', 'a.yml', 'apiVersion: v1\nkind: Foo\nservices:\n  web: { image: b }\n'],
    ['a template that does not parse', 'a.yml', 'services:\n{% for a in b %}\n  web:\n    image: b\n'],
    ['a list', 'a.yml', '- services:\n    web: { image: b }\n'],
  ])('R28: %s is none', async (_, path, text) => {
    expect(await of({ [path]: text })).toEqual([])
  })

  it('R28: one that only changes services of the file beside it is one, and is judged with them', async () => {
    const changes = 'services:\n  db:\n    ports: ["5432:5432"]\n'
    expect(await of({ ...base, 'prod.yml': changes })).toEqual(['compose.yaml: web db', 'prod.yml: db*'])
    expect(await of({ ...base, 'other/prod.yml': changes })).toEqual(['compose.yaml: web db'])
    expect(await of({ ...base, 'prod.yml': changes.replace('db', 'else') })).toEqual(['compose.yaml: web db'])
  })

  it('R28: one that is included is looked at; one that others extend is judged there', async () => {
    const included = { 'compose.yaml': 'include: [infra/db.yml]\n', 'infra/db.yml': 'services:\n  db: { image: b }\n' }
    expect(await of(included)).toEqual(['compose.yaml: ', 'infra/db.yml: db'])
    const extended = { 'compose.yaml': 'services:\n  a: { extends: { file: common.yml, service: db } }\n' }
    expect(await of({ ...extended, 'common.yml': 'services:\n  db: { image: b }\n' })).toEqual(['compose.yaml: a'])
  })

  it('R28: one that does not parse is an error, if it can be nothing else', async () => {
    const [broken] = await of({ 'stack.yml': 'services:\n  db:\n    image: b\n    ports: [\n' })
    expect(broken).toMatch(/^stack\.yml: /)
    expect(await of({ 'stack.yml': 'services:\n  db:\n    image: b\n    ports: [\nsteps: 1\n' })).toEqual([])
  })
})
