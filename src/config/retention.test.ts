import { describe, expect, it } from 'vitest'
import { loadConfig } from './load.ts'
import { retentionPolicy } from './retention-sections.ts'

function problemsOf(retention: object): readonly string[] {
  const text = JSON.stringify({ audit: { retention } })
  const loaded = loadConfig({ text, env: {}, mode: 'up' })
  return loaded.ok ? [] : loaded.problems.map(({ path, value, why }) => `${path} ${value}: ${why}`)
}

describe('audit.retention', () => {
  it('L12: a HIPAA log refuses a year, and says why', () => {
    expect(problemsOf({ framework: 'hipaa', days: 365 })).toEqual([
      'audit.retention.days 365: HIPAA keeps records for six years (45 CFR 164.316(b)(2)(i)).',
    ])
    expect(problemsOf({ framework: 'hipaa', days: 2192 })).toEqual([])
    expect(problemsOf({ framework: 'hipaa' })).toEqual([])
  })

  it.each([
    [{ framework: 'pci', days: 365 }, 'audit.retention.days'],
    [{ framework: 'pci', hotDays: 60 }, 'audit.retention.hotDays'],
    [{ framework: 'soc2', days: 90 }, 'audit.retention.days'],
    [{ framework: 'soc2', hotDays: 400 }, 'audit.retention.hotDays'],
    [{ framework: 'custom' }, 'audit.retention.days'],
    [{ framework: 'custom', days: 0 }, 'audit.retention.days'],
    [{ framework: 'none', days: 30 }, 'audit.retention.days'],
    [{ hotDays: 30 }, 'audit.retention.hotDays'],
    [{ framework: 'gdpr' }, 'audit.retention.framework'],
  ])('L12: %j is refused at %s', (retention, path) => {
    expect(problemsOf(retention).map((text) => text.split(' ')[0])).toEqual([path])
  })

  it.each([
    [{ framework: 'none' }, 'default', undefined],
    [{ framework: 'none' }, 'hipaa', { framework: 'hipaa', keepDays: 2192, hotDays: 2192 }],
    [{ framework: 'hipaa', days: 3000 }, 'default', { framework: 'hipaa', keepDays: 3000, hotDays: 3000 }],
    [{ framework: 'hipaa', days: 3000 }, 'hipaa', { framework: 'hipaa', keepDays: 3000, hotDays: 3000 }],
    [{ framework: 'hipaa' }, 'pci', { framework: 'pci', keepDays: 366, hotDays: 366 }],
    [{ framework: 'pci', hotDays: 92 }, 'pci', { framework: 'pci', keepDays: 366, hotDays: 92 }],
    [{ framework: 'custom', days: 30 }, 'default', { framework: 'custom', keepDays: 30, hotDays: 30 }],
    [{ framework: 'soc2' }, 'custom', undefined],
  ] as const)('L12: under %j the class %s has the policy %j', (given, retentionClass, policy) => {
    expect(retentionPolicy(given, retentionClass)).toEqual(policy)
  })
})
