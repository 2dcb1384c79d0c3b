import { describe, expect, it } from 'vitest'
import { judged, places, repaired } from '../../checks.fixture.ts'

const path = '.github/workflows/ci.yml'
const calling = (job: string): Record<string, string> => ({ [path]: `on: push\njobs:\n  call:\n${job}` })
const running = (run: string): Record<string, string> => ({
  [path]: `on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - run: ${run}\n`,
})

describe('R29', () => {
  it('R29: holds where each secret is named', async () => {
    const files = calling('    uses: o/r/.github/workflows/x.yml@v1\n    secrets:\n      TOKEN: ${{ secrets.TOKEN }}\n')
    expect((await judged('R29', files)).outcome).toBe('PASS')
  })

  it('R29: does not apply without a workflow', async () => {
    expect((await judged('R29', { 'README.md': '# nothing' })).outcome).toBe('NOT_APPLICABLE')
  })

  it('R29: a workflow that cannot be read is an error at its place', async () => {
    expect(places(await judged('R29', { [path]: 'on: push\njobs: {\n' }))[0]).toContain('ERROR')
  })

  const uses = 'uses: o/r/.github/workflows/x.yml@v1'
  it.each([
    ['block style', `    ${uses}\n    secrets: inherit\n`, '5:14'],
    ['flow style', `    { ${uses}, secrets: inherit }\n`, '4:54'],
    ['quoted', `    ${uses}\n    "secrets": 'inherit'\n`, '5:16'],
    ['anchored', `    &call\n    ${uses}\n    secrets: inherit\n  again: *call\n`, '6:14'],
    ['CRLF', `    ${uses}\r\n    secrets: inherit\r\n`, '5:14'],
  ])('R29: is broken by a call that inherits (%s)', async (_, job, place) => {
    const result = await judged('R29', calling(job))
    expect(places(result)).toEqual([`${path}:${place} FAIL`])
    expect(result.evidence[0]?.subject).toBe('o/r/.github/workflows/x.yml@v1')
  })

  it.each([
    ['echo "${{ toJSON(secrets) }}"', ['high']],
    ["echo ${{ format('{0}', toJson(SECRETS)) }}", ['high']],
    ["echo ${{ join(secrets.*, ',') }}", ['high']],
    ["echo ${{ secrets[format('KEY_{0}', matrix.env)] }}", ['medium']],
    ["echo ${{ secrets['KEY'] }} ${{ secrets.OTHER }}", []],
    ['echo ${{ toJSON(secrets.ONE) }} secrets.*', []],
    ["echo ${{ inputs.secrets && 'a' || secrets.B }}", []],
  ])('R29: `%s` is found as it is meant', async (run, confidences) => {
    const { evidence } = await judged('R29', running(JSON.stringify(run)))
    expect(evidence.map(({ confidence }) => confidence)).toEqual(confidences)
  })

  it('R29: all secrets in a setting of a composite action are found', async () => {
    const action =
      'runs:\n  using: composite\n  steps:\n    - run: x\n      shell: bash\n      env:\n        ALL: ${{ toJSON(secrets) }}\n'
    expect(places(await judged('R29', { 'deploy/action.yml': action }))).toEqual(['deploy/action.yml:7:14 FAIL'])
  })

  describe('a call of a workflow in the same repository', () => {
    const called = '.github/workflows/called.yml'
    const pair = (declared: string, run: string): Record<string, string> => ({
      ...calling('    uses: ./.github/workflows/called.yml\n    secrets: inherit # all\n'),
      [called]: `on:\n  workflow_call:\n${declared}jobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: ${run}\n`,
    })

    it('R29: inherits too, and is mended where the called one declares what it uses', async () => {
      const files = pair('    secrets:\n      TOKEN:\n        required: true\n', 'x ${{ secrets.token }}')
      const result = await judged('R29', files)
      expect(result.evidence.map(({ confidence, fix }) => [confidence, fix?.safety])).toEqual([['medium', 'safe']])
      const mended = repaired(result, files)
      expect(mended[path]).toBe(
        'on: push\njobs:\n  call:\n    uses: ./.github/workflows/called.yml\n    secrets:\n      TOKEN: ${{ secrets.TOKEN }} # all\n',
      )
      expect((await judged('R29', mended)).outcome).toBe('PASS')
    })

    it('R29: is mended where it stands, not at the anchor of the word', async () => {
      const files = pair('    secrets:\n      TOKEN:\n', 'x ${{ secrets.TOKEN }}')
      const text = files[path]?.replace('inherit', '*word').replace('on: push', 'env:\n  WORD: &word inherit\non: push')
      const mended = repaired(await judged('R29', { ...files, [path]: text ?? '' }), { ...files, [path]: text ?? '' })
      expect(mended[path]).toContain('  WORD: &word inherit\n')
      expect(mended[path]).toContain('    secrets:\n      TOKEN: ${{ secrets.TOKEN }} # all\n')
      const anchored = { ...files, [path]: files[path]?.replace('inherit', '&word inherit') ?? '' }
      expect((await judged('R29', anchored)).evidence.map(({ fix }) => fix)).toEqual([undefined])
    })

    it.each([
      ['uses one that it does not declare', '', 'x ${{ secrets.TOKEN }}'],
      ['computes a name', '    secrets:\n      TOKEN:\n', 'x ${{ secrets[inputs.a] }}'],
    ])('R29: has no fix where the called one %s', async (_, declared, run) => {
      const { evidence } = await judged('R29', pair(declared, run))
      expect(evidence.map(({ fix }) => fix)).toEqual(evidence.map(() => undefined))
    })
  })
})
