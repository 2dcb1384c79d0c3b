import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { lookalikes, positives } from './corpus.ts'
import type { DetectorName } from './detector.ts'
import { maskText, redactText } from './redact.ts'

const kinds: readonly DetectorName[] = [
  'private_key',
  'url_password',
  'jwt',
  'bearer',
  'api_key',
  'email',
  'card',
  'phone',
]

describe('redactText', () => {
  it('L3: finds what the corpus holds, by kind, and leaves what only looks like it', () => {
    const lines = kinds.map((kind) => {
      const wanted = positives.filter((one) => one.kind === kind)
      const found = wanted.filter(({ text, secret }) => !redactText(text).text.includes(secret))
      const wrong = lookalikes.filter((text) => redactText(text).hits.includes(kind))
      const recall = found.length / wanted.length
      const precision = found.length / (found.length + wrong.length)
      return { kind, cases: wanted.length, recall, precision }
    })
    const shown = lines.map(
      ({ kind, cases, recall, precision }) =>
        `  ${kind.padEnd(12)} ${String(cases).padStart(3)} cases  recall ${recall.toFixed(3)}  precision ${precision.toFixed(3)}`,
    )
    process.stdout.write(
      `redaction, ${positives.length} values, ${lookalikes.length} look-alikes\n${shown.join('\n')}\n`,
    )
    for (const { kind, cases, recall, precision } of lines) {
      expect(cases, kind).toBeGreaterThanOrEqual(2)
      expect(recall, kind).toBeGreaterThanOrEqual(0.98)
      expect(precision, kind).toBeGreaterThanOrEqual(0.95)
    }
  })

  it.each(positives)('L3: takes $kind out of: $text', ({ text, secret }) => {
    const { text: masked, hits } = redactText(text)
    expect(masked).not.toContain(secret)
    expect(hits.length).toBeGreaterThan(0)
  })

  it.each(lookalikes)('L3: leaves alone: %s', (text) => {
    expect(redactText(text)).toEqual({ text, hits: [] })
  })

  it('L3: a masked key keeps its prefix, and what stands around a value stays', () => {
    const key = ['sk', 'proj', 'abc123DEF456ghi789'].join('-')
    expect(maskText(`use ${key}, then go`)).toBe('use sk-***, then go')
    expect(maskText('Authorization: Bearer abc123def456ghi')).toBe('Authorization: Bearer ***')
    expect(maskText('redis://u:hunter2@h:1')).toBe('redis://u:***@h:1')
    expect(maskText('a@example.com and b@example.com')).toBe('[email] and [email]')
  })

  it('L3: doing it twice changes nothing more, whatever the text', () => {
    const piece = fc.oneof(
      fc.constantFrom(...positives.map(({ text }) => text)),
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.constantFrom('@', '-', '.', ' ', '+', '1', 'eyJ', 'sk-', '://', ':', '"', '\\'),
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const once = maskText(pieces.join(' '))
        expect(maskText(once)).toBe(once)
      }),
    )
  })

  // A detector whose time grew with the square of the text would need hours for a mebibyte, and run into the limit of the test.
  it('L3: a mebibyte of what was made to be slow is read to its end', { timeout: 60_000 }, () => {
    const cruel = [
      'a', '@', 'a@', 'a.', 'a@a.', '1', '1 ', '+1', '+1 ', '0 ', '(0', '-', 'sk-', 'sk-1', 'eyJ', 'eyJ-', 'eyJaaaaaaaa.',
      'bearer ', 'bearer aaaaaaaa', '://', '://a:', '://a:a', '-----BEGIN ', '-----BEGIN PRIVATE KEY-----', 'pc_', 'xoxb-',
      'AKIA', 'SG.', 'SG.aaaaaaaaaaaaaaaa', 'ü', 'ü@', 'A A', '4111 ',
    ] // prettier-ignore
    for (const unit of cruel) {
      const text = `@ ${unit.repeat(1_048_576 / unit.length)}`
      expect(redactText(text).text.length, JSON.stringify(unit)).toBeGreaterThan(0)
    }
  })
})
