import { describe, expect, it } from 'vitest'
import { judged, places, repaired } from '../../checks.fixture.ts'
import { bareContainers, compose, deployment } from '../containers.fixture.ts'

describe('R13', () => {
  it.each([
    ['a service', compose('  web:\n    image: a\n    cap_drop: [ALL]\n')],
    ['in small letters', compose('  web:\n    image: a\n    cap_drop:\n      - all\n')],
    [
      'with a named one added back',
      compose('  web:\n    image: a\n    cap_drop: [ALL]\n    cap_add: [NET_BIND_SERVICE, cap_chown]\n'),
    ],
    ['a container', deployment('          securityContext:\n            capabilities:\n              drop: ["ALL"]\n')],
  ])('R13: holds (%s)', async (_, files) => {
    expect((await judged('R13', files)).outcome).toBe('PASS')
  })

  it.each(bareContainers)('R13: is broken, and repaired where that is asked for (%s)', async (_, files, place) => {
    const result = await judged('R13', files)
    expect(places(result)).toEqual([`${place} FAIL`])
    expect(result.evidence.every(({ fix }) => fix?.safety === 'unsafe' && fix.risk !== undefined)).toBe(true)
    expect((await judged('R13', repaired(result, files, 'unsafe'))).outcome).toBe('PASS')
  })

  it('R13: what reaches beyond the container is not added back', async () => {
    const service = (more: string): Promise<Awaited<ReturnType<typeof judged>>> =>
      judged('R13', compose(`  web:\n    image: a\n    cap_drop: [ALL]\n${more}`))
    expect(places(await service('    cap_add: [SYS_ADMIN]\n'))).toEqual(['compose.yaml:5:15 FAIL'])
    expect(places(await service('    privileged: true\n'))).toEqual(['compose.yaml:5:17 FAIL'])
    expect((await service('    privileged: false\n')).outcome).toBe('PASS')
    expect((await service('    privileged: ${ALL}\n')).outcome).toBe('WARN')
    expect((await judged('R13', compose('  web:\n    image: a\n    cap_drop: [NET_RAW]\n'))).outcome).toBe('FAIL')
  })

  it('R13: a finding keeps its fingerprint when lines move and the service is renamed', async () => {
    const before = await judged('R13', compose('  web:\n    image: a\n'))
    const after = await judged('R13', compose('  # moved\n\n  site:\n    image: a\n'))
    expect(after.evidence[0]?.fingerprint).toBe(before.evidence[0]?.fingerprint)
  })

  it('R13: what cannot be read or looked at is said', async () => {
    expect(places(await judged('R13', { 'compose.yaml': 'services:\n  a: [\n' }))).toEqual(['compose.yaml:3:1 ERROR'])
    expect((await judged('R13', { 'compose.yaml': 'services: [a]\n' })).outcome).toBe('ERROR')
    expect((await judged('R13', compose('  web:\n    extends: { file: ../gone.yaml, service: web }\n'))).outcome).toBe(
      'UNKNOWN',
    )
    expect((await judged('R13', { 'compose.yaml': 'include: [oci://example/x]\n' })).outcome).toBe('UNKNOWN')
    expect((await judged('R13', { 'README.md': 'x' })).outcome).toBe('NOT_APPLICABLE')
  })
})
