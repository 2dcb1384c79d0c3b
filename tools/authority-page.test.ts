import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '..')
const page = readFileSync(join(root, 'docs/authority.md'), 'utf8')
const rows = [...page.matchAll(/^\| (10\.\d+\.\d+) \|(.*)\|$/gm)].map(([, id = '', rest = '']) => {
  const [level = '', met = '', how = '', proof = ''] = rest.split(' | ').map((cell) => cell.trim())
  return { id, level, met, how, proof }
})

// The chapter of version 5.0.0: how many rows each section has.
const sections = { '10.1': 2, '10.2': 3, '10.3': 5, '10.4': 16, '10.5': 5, '10.6': 2, '10.7': 3 }

describe('the table of ASVS V10', () => {
  it('T5: has every row once, in order', () => {
    const expected = Object.entries(sections).flatMap(([section, count]) =>
      Array.from({ length: count }, (_, at) => `${section}.${at + 1}`),
    )
    expect(rows.map(({ id }) => id)).toEqual(expected)
  })

  it.each(rows)('T5: row $id names tests that there are', ({ met, how, proof }) => {
    expect(met).toMatch(/^(yes|partly|open|n\/a)$/)
    expect(how).not.toBe('')
    const proofs = [...proof.matchAll(/`([^`]+\.test\.ts)`: ([^·]+?)(?: ·|$)/g)]
    expect(proofs.length).toBe(proof.split('`: ').length - 1)
    if (met === 'yes' || met === 'partly') expect(proofs.length).toBeGreaterThan(0)
    for (const [, file = '', name = ''] of proofs)
      expect(readFileSync(join(root, file), 'utf8')).toContain(`'${name.trim()}'`)
  })
})
