import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { htmlReport } from './html.ts'
import { tagsOf } from './markup.fixture.ts'
import { fullReport } from './report.fixture.ts'
import { buildReport } from './report.ts'

const html = htmlReport(fullReport())
const style = /<style>([\s\S]*?)<\/style>/.exec(html)?.[1] ?? ''
const tags = tagsOf(html.replace(style, ''), ['meta', 'br'])

describe('HTML', () => {
  it('V5: is one file that loads nothing and runs nothing', () => {
    expect(html).toMatch(/^<!doctype html>\n<html lang="en">/)
    const digest = createHash('sha256').update(style).digest('base64')
    const policy = `default-src 'none'; style-src 'sha256-${digest}'; base-uri 'none'; form-action 'none'`
    expect(html).toContain(`content="${policy}"`)
    expect(style).not.toMatch(/url\(|@import|<|FILTERS/)
    const names = new Set(tags.map(({ name }) => name))
    for (const name of ['script', 'link', 'img', 'iframe', 'object', 'form', 'svg']) expect(names).not.toContain(name)
  })

  it('V5: hostile text makes no tag, attribute or address', () => {
    const attributes = new Set(tags.flatMap((tag) => [...tag.attributes.keys()]))
    const known = ['aria-label', 'charset', 'class', 'content', 'href', 'http-equiv', 'id', 'lang', 'name']
    expect([...attributes].toSorted()).toEqual(known)
    for (const { attributes: own } of tags) {
      const href = own.get('href')
      if (href !== undefined) expect(href).toMatch(/^(?:#|https:)/)
    }
    // oxlint-disable-next-line no-control-regex -- that is what must not be there
    expect(html).not.toMatch(/[\u0000-\u0009\u000B-\u001F\u202E\u2028]/)
  })

  it('V5: holds what evidence needs: target, time, tool, places, fingerprints, waivers, drift', () => {
    const [, fingerprint = ''] = /fingerprint ([0-9a-f]{32})/.exec(html) ?? []
    expect(fingerprint).not.toBe('')
    for (const part of [
      './app',
      'https://app.example/',
      '2026-11-22T08:00:00.000Z',
      'portcullis 1.2.3',
      '.github/workflows/ci.yml:7:9',
      'Waived findings (1)',
      '2027-01-31',
      'OPS-7',
      '1 new, 0 regressed, 8 still open, 1 fixed',
      'F16 and W09 disagree',
      'unused waiver',
      'Safe fix',
    ])
      expect(html).toContain(part)
  })

  it('V5: every link within the page leads somewhere', () => {
    const ids = new Set(tags.flatMap((tag) => tag.attributes.get('id') ?? []))
    const targets = tags.flatMap((tag) => tag.attributes.get('href') ?? []).filter((href) => /^#./.test(href))
    expect(targets.length).toBeGreaterThan(4)
    for (const target of targets) expect(ids).toContain(target.slice(1))
  })

  it('V5: a run without results is a page too', () => {
    expect(htmlReport(buildReport({ ...fullReport(), results: [] }))).toContain('<h1>')
  })
})
