import { expect, it } from 'vitest'
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
