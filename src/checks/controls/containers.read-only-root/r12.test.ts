import { describe, expect, it } from 'vitest'
import { judged, places, repaired } from '../../checks.fixture.ts'
import { bareContainers, compose, deployment } from '../containers.fixture.ts'

describe('R12', () => {
  it.each([
    ['a service', compose('  web:\n    image: a\n    read_only: true\n')],
    [
      'through an anchor',
      { 'compose.yaml': 'x-safe: &safe\n  read_only: true\nservices:\n  web:\n    <<: *safe\n    image: a\n' },
    ],
    ['through extends', compose('  base:\n    image: a\n    read_only: true\n  web:\n    extends: base\n')],
    [
      'in the override file',
      { ...compose('  web:\n    image: a\n'), 'compose.override.yaml': 'services:\n  web:\n    read_only: true\n' },
    ],
    ['a container', deployment('          securityContext: { readOnlyRootFilesystem: true }\n')],
    [
      'a change of another file',
      {
        ...compose('  web:\n    image: a\n    read_only: true\n'),
        'compose.prod.yaml': 'services:\n  web:\n    restart: always\n',
      },
    ],
    [
      'a patch',
      {
        'patch.yaml':
          'apiVersion: apps/v1\nkind: Deployment\nspec:\n  template:\n    spec:\n      containers:\n        - name: a\n          env: []\n',
      },
    ],
  ])('R12: holds (%s)', async (_, files) => {
    expect((await judged('R12', files)).outcome).toBe('PASS')
  })

  it.each(bareContainers)('R12: is broken, and repaired where that is asked for (%s)', async (_, files, place) => {
    const result = await judged('R12', files)
    expect(places(result)).toEqual([`${place} FAIL`])
    expect(result.evidence.every(({ fix }) => fix?.safety === 'unsafe' && fix.risk !== undefined)).toBe(true)
    expect((await judged('R12', repaired(result, files, 'unsafe'))).outcome).toBe('PASS')
  })

  it('R12: a file that lies over another one is not asked for what that one says', async () => {
    const base = compose('  web:\n    image: a\n    read_only: true\n  db:\n    image: b\n    read_only: true\n')
    const over = { 'compose.prod.yaml': 'services:\n  web:\n    image: a:2\n  db:\n    restart: always\n' }
    expect((await judged('R12', { ...base, ...over })).outcome).toBe('PASS')
    const alone = { 'compose.prod.yaml': 'services:\n  web:\n    image: a:2\n' }
    expect((await judged('R12', { ...base, ...alone })).outcome).toBe('FAIL')
    const built = { 'compose.override.yaml': 'services:\n  web:\n    build: .\n' }
    expect((await judged('R12', { ...base, ...built })).outcome).toBe('PASS')
  })

  it('R12: said to be writable, or by a variable', async () => {
    expect(places(await judged('R12', compose('  web:\n    image: a\n    read_only: false\n')))).toEqual([
      'compose.yaml:4:16 FAIL',
    ])
    expect((await judged('R12', compose('  web:\n    image: a\n    read_only: ${RO}\n'))).outcome).toBe('WARN')
    expect((await judged('R12', compose('  web:\n    image: a\n    read_only: ${RO:-true}\n'))).outcome).toBe('PASS')
  })

  it('R12: a finding keeps its fingerprint when lines move and the service is renamed', async () => {
    const before = await judged('R12', compose('  web:\n    image: a\n'))
    const after = await judged('R12', compose('  # moved\n\n  site:\n    image: a\n'))
    expect(after.evidence[0]?.fingerprint).toBe(before.evidence[0]?.fingerprint)
  })

  it('R12: what cannot be read or looked at is said', async () => {
    expect(places(await judged('R12', { 'compose.yaml': 'services:\n  a: [\n' }))).toEqual(['compose.yaml:3:1 ERROR'])
    expect((await judged('R12', { 'compose.yaml': 'services: [a]\n' })).outcome).toBe('ERROR')
    expect((await judged('R12', compose('  web:\n    extends: { file: ../gone.yaml, service: web }\n'))).outcome).toBe(
      'UNKNOWN',
    )
    expect((await judged('R12', { 'compose.yaml': 'include: [oci://example/x]\n' })).outcome).toBe('UNKNOWN')
    expect((await judged('R12', { 'README.md': 'x' })).outcome).toBe('NOT_APPLICABLE')
  })
})
