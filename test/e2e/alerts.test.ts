import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'

const folder = join(import.meta.dirname, '../../deploy/prometheus')
const promtool = promisify(execFile)

describe('the alert rules under promtool', () => {
  it('O7: every rule is valid', async () => {
    const { stdout } = await promtool('promtool', ['check', 'rules', 'portcullis.rules.yml'], { cwd: folder })
    expect(stdout).toContain('SUCCESS')
  })

  it('O7: every alert fires where it should and is quiet where it should', async () => {
    const { stdout } = await promtool('promtool', ['test', 'rules', 'portcullis.tests.yml'], { cwd: folder })
    expect(stdout).toContain('SUCCESS')
  })
})
