import { describe, expect, it } from 'vitest'
import { settings } from '#config'
import { configReference, configReferenceIsFresh } from './generate-config-reference.ts'

describe('docs/reference/config.md', () => {
  it('O1: is what the schema says', () => {
    expect(configReferenceIsFresh(), 'Run: node tools/generate-config-reference.ts').toBe(true)
  })

  it('O1: names every setting and its variable', () => {
    for (const { path, env } of settings) {
      expect(configReference()).toContain(`| \`${path}\` |`)
      expect(configReference()).toContain(`\`${env}\``)
    }
  })
})
