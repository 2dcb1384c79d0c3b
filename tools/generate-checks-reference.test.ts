import { existsSync, readdirSync } from 'node:fs'
import { expect, it } from 'vitest'
import { controls } from '#checks'
import { checksReference, staleChecksPages } from './generate-checks-reference.ts'

it('V2: docs/checks is what the controls say', () => {
  expect(staleChecksPages(), 'run: node tools/generate-checks-reference.ts').toEqual([])
})

it('V2: every control has a page with its claim, its attack, its checks, what to do and where that comes from', () => {
  const pages = checksReference()
  for (const { id, why, checks, references } of controls) {
    const page = pages.get(`${id}.md`) ?? ''
    expect(page, id).toContain(`\`${id}\``)
    expect(why, id).not.toBe('')
    for (const check of checks) expect(page).toContain(`## ${check.id}: `)
    for (const reference of references) expect(page).toContain(`<${reference}>`)
  }
})

it('V2: the overview names every check once, with its severity, its source and its page', () => {
  const lines = (checksReference().get('README.md') ?? '').split('\n')
  for (const { id, severity, checks } of controls)
    for (const check of checks) {
      const [row, ...more] = lines.filter((line) => line.startsWith(`| [${check.id}](`))
      expect(more, check.id).toEqual([])
      for (const part of [`(${id}.md)`, ` ${severity} `, ` ${check.source} `]) expect(row).toContain(part)
    }
})

it('V2: ids of controls and checks are there once, and of the form that is never renamed', () => {
  const ids = controls.map(({ id }) => id)
  expect(new Set(ids).size).toBe(ids.length)
  for (const id of ids) expect(id).toMatch(/^[a-z]+\.[a-z0-9]+(?:-[a-z0-9]+)*$/)
  const checks = controls.flatMap((control) => control.checks.map(({ id }) => id))
  expect(new Set(checks).size).toBe(checks.length)
  for (const id of checks) expect(id).toMatch(/^[RFW]\d{2}$/)
})

it('V2: each control lies in the folder of its name, with its checks', () => {
  const folders = readdirSync('src/checks/controls', { withFileTypes: true }).filter((entry) => entry.isDirectory())
  expect(folders.map(({ name }) => name).toSorted()).toEqual(controls.map(({ id }) => id).toSorted())
  for (const { id, checks } of controls)
    for (const check of checks)
      expect(existsSync(`src/checks/controls/${id}/${check.id.toLowerCase()}.ts`), id).toBe(true)
})

it('V2: a control says in public what it is based on', () => {
  for (const { id, references, rows, title, remediation } of controls) {
    expect(references.length, id).toBeGreaterThan(0)
    for (const reference of references) expect(reference, id).toMatch(/^https:\/\/[a-z0-9.-]+\.[a-z]+\//)
    expect(rows.length, id).toBeGreaterThan(0)
    expect(title, id).not.toMatch(/\.$/)
    expect(remediation, id).toMatch(/\.$/)
  }
})
