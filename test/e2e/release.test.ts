import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'

const root = join(import.meta.dirname, '../..')

describe('a release', () => {
  it('O10: a rehearsal builds, signs, installs and starts what would be shipped, and publishes nothing', () => {
    const { status, stdout, stderr } = spawnSync('npm', ['run', '-s', 'release:rehearse'], {
      cwd: root,
      encoding: 'utf8',
      env: { ...process.env, GITHUB_TOKEN: 'never_used' },
    })
    expect(status, stderr.slice(-2000)).toBe(0)
    expect(stdout).toMatch(/rehearsed: \S+ was built, signed, installed and run; nothing was published/)
    const shipped = readdirSync(join(root, 'dist'))
    expect(shipped).toEqual(
      expect.arrayContaining([
        'checksums.txt',
        'checksums.txt.sig',
        'install.sh',
        expect.stringMatching(/\.cdx\.json$/),
      ]),
    )
    const checksums = readFileSync(join(root, 'dist/checksums.txt'), 'utf8')
    for (const file of shipped.filter((name) => !name.startsWith('checksums.txt'))) expect(checksums).toContain(file)
  })

  it('O10: without a signer nothing is built', () => {
    const { status, stderr } = spawnSync('tools/release/build.sh', ['/dev/null'], { cwd: root, encoding: 'utf8' })
    expect(status).toBe(1)
    expect(stderr).toContain('There is no signer')
  })

  it('O10: only the job that publishes may write, and it alone sees the signing key', () => {
    const folder = join(root, '.github/workflows')
    const jobs = readdirSync(folder).flatMap((file) => {
      const { jobs: all } = parse(readFileSync(join(folder, file), 'utf8')) as { jobs: Record<string, object> }
      return Object.entries(all).map(([name, job]) => ({ name: `${file} ${name}`, text: JSON.stringify(job) }))
    })
    expect(jobs.length).toBeGreaterThan(4)
    expect(jobs.filter(({ text }) => text.includes('"contents":"write"')).map(({ name }) => name)).toEqual([
      'release.yml publish',
    ])
    expect(jobs.filter(({ text }) => text.includes('secrets.')).map(({ name }) => name)).toEqual([
      'release.yml publish',
    ])
    expect(existsSync(join(root, 'tools/release/sign.sh'))).toBe(true)
  })
})
