import { describe, expect, it } from 'vitest'
import { judged, places, repaired } from '../../checks.fixture.ts'
import { bareContainers, compose, deployment } from '../containers.fixture.ts'

describe('R14', () => {
  it.each([
    ['a service', compose('  web:\n    image: a\n    security_opt: ["no-new-privileges:true"]\n')],
    ['without a value', compose('  web:\n    image: a\n    security_opt:\n      - no-new-privileges\n')],
    [
      'with an equals sign',
      compose('  web:\n    image: a\n    security_opt:\n      - no-new-privileges=true\n      - apparmor=x\n'),
    ],
    ['a container', deployment('          securityContext: { allowPrivilegeEscalation: false }\n')],
  ])('R14: holds (%s)', async (_, files) => {
    expect((await judged('R14', files)).outcome).toBe('PASS')
  })

  it.each(bareContainers)('R14: is broken, and repaired where that is asked for (%s)', async (_, files, place) => {
    const result = await judged('R14', files)
    expect(places(result)).toEqual([`${place} FAIL`])
    expect(result.evidence.every(({ fix }) => fix?.safety === 'unsafe' && fix.risk !== undefined)).toBe(true)
    expect((await judged('R14', repaired(result, files, 'unsafe'))).outcome).toBe('PASS')
  })

  it('R14: is broken where it is turned off', async () => {
    expect(
      (await judged('R14', compose('  web:\n    image: a\n    security_opt: ["no-new-privileges:false"]\n'))).outcome,
    ).toBe('FAIL')
    expect(
      places(await judged('R14', deployment('          securityContext: { allowPrivilegeEscalation: true }\n'))),
    ).toEqual(['deploy.yaml:13:56 FAIL'])
  })

  it('R14: a finding keeps its fingerprint when lines move and the service is renamed', async () => {
    const before = await judged('R14', compose('  web:\n    image: a\n'))
    const after = await judged('R14', compose('  # moved\n\n  site:\n    image: a\n'))
    expect(after.evidence[0]?.fingerprint).toBe(before.evidence[0]?.fingerprint)
  })

  it('R14: what cannot be read or looked at is said', async () => {
    expect(places(await judged('R14', { 'compose.yaml': 'services:\n  a: [\n' }))).toEqual(['compose.yaml:3:1 ERROR'])
    expect((await judged('R14', { 'compose.yaml': 'services: [a]\n' })).outcome).toBe('ERROR')
    expect((await judged('R14', compose('  web:\n    extends: { file: ../gone.yaml, service: web }\n'))).outcome).toBe(
      'UNKNOWN',
    )
    expect((await judged('R14', { 'compose.yaml': 'include: [oci://example/x]\n' })).outcome).toBe('UNKNOWN')
    expect((await judged('R14', { 'README.md': 'x' })).outcome).toBe('NOT_APPLICABLE')
  })
})
