import { describe, expect, it } from 'vitest'
import { judged, places } from '../../checks.fixture.ts'
import type { Result } from '../../run.ts'

const path = '.github/workflows/pr.yml'
const on = (event: string, steps: string, job = '', top = ''): Record<string, string> => ({
  [path]: `on: ${event}\n${top}jobs:\n  build:\n    runs-on: ubuntu-latest\n${job}    steps:\n${steps}`,
})
const checkout = (ref: string, more = ''): string =>
  `      - uses: actions/checkout@v4.2.2\n${more}        with:\n          ref: ${ref}\n      - run: make\n`
const head = '${{ github.event.pull_request.head.sha }}'
const found = async (files: Record<string, string>): Promise<readonly string[]> =>
  (await judged('R31', files)).evidence.map(({ outcome, confidence }) => `${outcome} ${confidence}`)

describe('R31', () => {
  it('R31: does not apply without a workflow', async () => {
    expect((await judged('R31', { 'README.md': '# nothing' })).outcome).toBe('NOT_APPLICABLE')
  })

  it('R31: a workflow that cannot be read is an error at its place', async () => {
    expect(places(await judged('R31', { [path]: 'on: push\njobs:\n  test: [unclosed\n' }))).toEqual([
      `${path}:4:1 ERROR`,
    ])
  })

  it.each([
    ['the event alone', on('pull_request_target', '      - uses: actions/labeler@v6\n')],
    ['its own code', on('pull_request_target', '      - uses: actions/checkout@v4.2.2\n      - run: make\n')],
    ['the base', on('pull_request_target', checkout('${{ github.event.pull_request.base.sha }}'))],
    ['code of a pull request without privileges', on('pull_request', checkout(head))],
    [
      'the comment alone',
      on(
        'issue_comment',
        '      - run: echo "$BODY"\n        env:\n          BODY: ${{ github.event.comment.body }}\n',
      ),
    ],
    [
      'a ref of the other event',
      on('[pull_request_target, push]', checkout("${{ github.event_name == 'push' && github.sha || github.ref }}")),
    ],
    ['a look at the difference', on('pull_request_target', '      - run: gh pr diff "$N" && git diff HEAD~1\n')],
  ])('R31: holds with %s', async (_, files) => {
    expect(await found(files)).toEqual([])
  })

  it.each([
    ['block style', on('pull_request_target', checkout(head)), '8:16'],
    ['event in a list', on('[push, pull_request_target]', checkout(head)), '8:16'],
    ['event in a map', on('{ pull_request_target: { types: [opened] } }', checkout(`"${head}"`)), '8:16'],
    [
      'flow style',
      on(
        'pull_request_target',
        `      - { uses: actions/checkout@v4.2.2, with: { ref: "${head}" } }\n      - run: make\n`,
      ),
      '6:55',
    ],
    [
      'anchored',
      on(
        'pull_request_target',
        `      - uses: actions/checkout@v4.2.2\n        with: &w\n          ref: ${head}\n      - uses: actions/checkout@v4.2.1\n        with: *w\n      - run: make\n`,
      ),
      '8:16',
    ],
    ['CRLF', on('pull_request_target', checkout(head).replaceAll('\n', '\r\n')), '8:16'],
  ])('R31: is broken by a checkout of the head (%s)', async (_, files, place) => {
    const result = await judged('R31', files)
    expect(places(result)).toEqual([`${path}:${place} FAIL`])
  })

  it.each([
    [
      'the head of a fork',
      'pull_request_target',
      `      - uses: actions/checkout@v4.2.2\n        with:\n          repository: \${{ github.event.pull_request.head.repo.full_name }}\n          ref: \${{ github.head_ref }}\n      - run: make\n`,
      'FAIL high',
    ],
    ['the merge', 'pull_request_target', checkout('refs/pull/${{ github.event.number }}/merge'), 'FAIL high'],
    [
      'the merge commit',
      'pull_request_target',
      checkout('${{ github.event.pull_request.merge_commit_sha }}'),
      'FAIL high',
    ],
    ['a branch by its name alone', 'pull_request_target', checkout('${{ github.head_ref }}'), 'FAIL medium'],
    ['the commit of a run', 'workflow_run', checkout('${{ github.event.workflow_run.head_sha }}'), 'FAIL high'],
    [
      'the head by a comment',
      'issue_comment',
      checkout('refs/pull/${{ github.event.issue.number }}/head'),
      'FAIL high',
    ],
    [
      'gh pr checkout',
      'issue_comment',
      '      - run: |\n          gh pr checkout ${{ github.event.issue.number }}\n          make\n',
      'FAIL high',
    ],
    [
      'git fetch and checkout',
      'pull_request_target',
      '      - run: |\n          git fetch origin pull/${{ github.event.number }}/head:pr\n          git checkout pr\n',
      'FAIL high',
    ],
    [
      'git checkout by a variable',
      'pull_request_target',
      `      - env: { SHA: "${head}" }\n        run: git checkout "$SHA" && make\n`,
      'FAIL high',
    ],
    [
      'git clone of a fork',
      'pull_request_target',
      '      - run: git clone ${{ github.event.pull_request.head.repo.clone_url }} x\n',
      'FAIL high',
    ],
    [
      'a fetch that nothing checks out',
      'pull_request_target',
      '      - run: git fetch origin pull/${{ github.event.number }}/head && git diff FETCH_HEAD\n',
      'WARN low',
    ],
    ['what a step looked up', 'issue_comment', checkout('${{ steps.pr.outputs.head_sha }}'), 'WARN low'],
    [
      'nothing that runs behind it',
      'pull_request_target',
      `      - uses: actions/checkout@v4.2.2\n        with:\n          ref: ${head}\n`,
      'FAIL medium',
    ],
    [
      'artifacts of the run',
      'workflow_run',
      '      - uses: actions/download-artifact@v5\n        with:\n          run-id: ${{ github.event.workflow_run.id }}\n',
      'WARN medium',
    ],
    ['artifacts by gh', 'workflow_run', '      - run: gh run download "$ID"\n', 'WARN medium'],
  ])('R31: %s', async (_, event, steps, expected) => {
    expect(await found(on(event, steps))).toEqual([expected])
  })

  it.each([
    [
      'an earlier step that stops for outsiders',
      `      - if: github.event.pull_request.author_association != 'MEMBER'\n        run: exit 1\n${checkout(head)}`,
    ],
    ['an earlier step that asks for rights', `      - uses: actions-cool/check-user-permission@v2\n${checkout(head)}`],
    ['a folder of its own', checkout(`${head}\n          path: theirs`)],
  ])('R31: %s makes it less sure', async (_, steps) => {
    expect(await found(on('pull_request_target', steps))).toEqual(['FAIL medium'])
  })

  it.each([
    ['a tag that was moved to a release that refuses forks', 'v4', '', 'FAIL medium'],
    ['a release that refuses forks', 'v7.0.1', '', 'WARN low'],
    ['such a release by commit', `${'0'.repeat(40)} # v7.0.1`, '', 'WARN low'],
    ['a commit of no known release', '0'.repeat(40), '', 'FAIL high'],
    ['such a release, told not to', 'v7', '\n          allow-unsafe-pr-checkout: true', 'FAIL high'],
  ])('R31: %s', async (_, ref, setting, expected) => {
    const steps = checkout(`${head}${setting}`).replace('actions/checkout@v4.2.2', `actions/checkout@${ref}`)
    expect(await found(on('pull_request_target', steps))).toEqual([expected])
  })

  it('R31: follows variables of the workflow and outputs of jobs', async () => {
    expect(await found(on('pull_request_target', checkout('${{ env.SHA }}'), '', `env:\n  SHA: ${head}\n`))).toEqual([
      'FAIL high',
    ])
    const files = {
      [path]: `on: pull_request_target\njobs:\n  a:\n    runs-on: x\n    outputs:\n      sha: ${head}\n    steps: []\n  b:\n    needs: a\n    runs-on: x\n    steps:\n${checkout('${{ needs.a.outputs.sha }}')}`,
    }
    expect(await found(files)).toEqual(['FAIL high'])
  })

  describe('conditions', () => {
    it.each([
      ['branches of this repository alone', 'github.event.pull_request.head.repo.full_name == github.repository', []],
      [
        'the same, in an expression',
        '${{ github.repository == github.event.pull_request.head.repo.full_name && true }}',
        [],
      ],
      ['no forks', '${{ !github.event.pull_request.head.repo.fork }}', []],
      ['another event', "github.event_name == 'push'", []],
      [
        'another event or no fork',
        "github.event_name == 'push' || github.event.pull_request.head.repo.fork == false",
        [],
      ],
      ['what was merged', 'github.event.pull_request.merged == true', []],
      ['a label', "contains(github.event.pull_request.labels.*.name, 'safe to test')", ['FAIL medium']],
      ['an actor', "github.actor == 'dependabot[bot]'", ['FAIL medium']],
      ['this repository, which it always is', "github.repository == 'o/r'", ['FAIL high']],
      ['a draft', 'github.event.pull_request.draft == false', ['FAIL high']],
      ['forks only', 'github.event.pull_request.head.repo.fork', ['FAIL high']],
      [
        'no fork or a label',
        "github.event.pull_request.head.repo.fork == false || github.event.label.name == 'ok'",
        ['FAIL medium'],
      ],
    ])('R31: %s', async (_, condition, expected) => {
      const written = condition.startsWith('!') ? `"${condition}"` : condition
      expect(await found(on('pull_request_target', checkout(head), `    if: ${written}\n`))).toEqual(expected)
      expect(await found(on('pull_request_target', checkout(head, `        if: ${written}\n`)))).toEqual(expected)
    })

    it('R31: hold for the jobs behind too, unless they run always', async () => {
      const jobs = (condition: string): Record<string, string> => ({
        [path]: `on: pull_request_target\njobs:\n  gate:\n    if: github.event.pull_request.head.repo.fork == false\n    runs-on: x\n    steps: []\n  b:\n    needs: [gate]\n${condition}    runs-on: x\n    steps:\n${checkout(head)}`,
      })
      expect(await found(jobs(''))).toEqual([])
      expect(await found(jobs('    if: always()\n'))).toEqual(['FAIL high'])
    })

    it('R31: approval of an environment, and a token that may write nothing, make it less sure', async () => {
      expect(await found(on('pull_request_target', checkout(head), '    environment: external\n'))).toEqual([
        'FAIL medium',
      ])
      expect(await found(on('pull_request_target', checkout(head), '    permissions: {}\n'))).toEqual(['FAIL medium'])
      expect(
        await found(
          on('pull_request_target', checkout(head), '    permissions: {}\n    env: { K: "${{ secrets.K }}" }\n'),
        ),
      ).toEqual(['FAIL high'])
    })
  })

  describe('runs after other workflows', () => {
    const after = (event: string): Record<string, string> => ({
      ...on(
        '{ workflow_run: { workflows: [CI], types: [completed] } }',
        checkout('${{ github.event.workflow_run.head_sha }}'),
      ),
      '.github/workflows/ci.yml': `name: CI\non: ${event}\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: make\n`,
    })
    it.each([
      ['that pull requests start', 'pull_request', ['FAIL high']],
      ['that pushes alone start', 'push', []],
    ])('R31: %s', async (_, event, expected) => {
      expect(await found(after(event))).toEqual(expected)
    })

    it('R31: of a branch that a fork may name the same is less sure', async () => {
      const event = '{ workflow_run: { workflows: [CI], branches: [main] } }'
      expect(await found(on(event, checkout('${{ github.event.workflow_run.head_sha }}')))).toEqual(['FAIL medium'])
    })

    it('R31: of a push alone, by condition', async () => {
      const files = on(
        'workflow_run',
        checkout('${{ github.event.workflow_run.head_sha }}'),
        "    if: github.event.workflow_run.event == 'push'\n",
      )
      expect(await found(files)).toEqual([])
    })
  })

  it('R31: a workflow that is called under the event is judged with what it is given', async () => {
    const called = '.github/workflows/called.yml'
    const files = {
      [path]: `on: pull_request_target\njobs:\n  call:\n    uses: ./.github/workflows/called.yml\n    with:\n      ref: ${head}\n`,
      [called]: `on:\n  workflow_call:\n    inputs:\n      ref: { type: string }\njobs:\n  a:\n    runs-on: x\n    steps:\n${checkout('${{ inputs.ref }}')}`,
    }
    expect(places(await judged('R31', files))).toEqual([`${called}:11:16 FAIL`])
  })

  it('R31: a composite action of the repository is looked into, with what it is given', async () => {
    const action = '.github/actions/get/action.yml'
    const files = (ref: string): Record<string, string> => ({
      ...on(
        'pull_request_target',
        `      - uses: ./.github/actions/get\n        with:\n          ref: ${ref}\n      - run: make\n`,
      ),
      [action]:
        'inputs: { ref: {} }\nruns:\n  using: composite\n  steps:\n    - uses: actions/checkout@v4.2.2\n      with:\n        ref: ${{ inputs.ref }}\n',
    })
    expect(places(await judged('R31', files(head)))).toEqual([`${action}:7:14 FAIL`])
    expect(await found(files('${{ github.sha }}'))).toEqual([])
  })

  const target = (steps: string, more = ''): Promise<Result> =>
    judged('R31', {
      '.github/workflows/a.yml': `on: pull_request_target\n${more}jobs:\n  a:\n    steps:\n${steps}      - run: npm ci\n`,
    })
  const checkoutWith = (given: string): string =>
    `      - uses: actions/checkout@${'a'.repeat(40)}\n        with: { ${given} }\n`

  it.each([
    ['is made by format', checkoutWith(`ref: "\${{ format('refs/pull/{0}/merge', github.event.number) }}"`), ''],
    [
      'comes from a variable',
      checkoutWith("ref: '${{ env.R }}'"),
      "env: { R: 'refs/pull/${{ github.event.number }}/merge' }\n",
    ],
    ['has its name in another case', checkoutWith("Ref: '${{ github.event.pull_request.head.sha }}'"), ''],
    [
      'is a variable of a script',
      '      - run: git fetch origin "$R" && git checkout FETCH_HEAD\n',
      "env: { R: 'refs/pull/${{ github.event.number }}/head' }\n",
    ],
  ])('R31: the ref of a pull request is seen where it %s', async (_, steps, more) => {
    expect((await target(steps, more)).outcome).toBe('FAIL')
  })

  it('R31: a condition in braces with anything around them is a text, and every text is true', async () => {
    const guarded = (condition: string): Promise<Result> =>
      target(
        `      - uses: actions/checkout@${'a'.repeat(40)}\n        if: ${condition}\n        with: { ref: '\${{ github.event.pull_request.head.sha }}' }\n`,
      )
    const own = '${{ github.event.pull_request.head.repo.fork == false }}'
    expect((await guarded(own)).outcome).toBe('PASS')
    expect((await guarded(`|-\n          ${own}`)).outcome).toBe('PASS')
    expect((await guarded(`|\n          ${own}`)).outcome).toBe('FAIL')
    expect((await guarded(`"${own} "`)).outcome).toBe('FAIL')
    expect((await guarded(`${own} && true`)).outcome).toBe('FAIL')
  })
})

describe('R31 in scripts', () => {
  const script = (lines: string, event = 'pull_request_target', before = '', top = ''): Record<string, string> =>
    on(event, `${before}      - run: |\n${lines.replaceAll(/^/gm, '          ')}\n`, '', top)
  const number = '${{ github.event.number }}'

  it.each([
    ['a ref', `ref="refs/pull/${number}/merge"\ngit fetch origin "$ref"\ngit checkout FETCH_HEAD`, ['FAIL high']],
    [
      'a ref in pieces',
      `n=${number}\nkind=pull\ngit fetch origin "$kind/\${n}/head:pr" && git checkout pr`,
      ['FAIL high'],
    ],
    ['a commit', `sha='${head}'\nexport to=$sha\ngit checkout "$to"\nmake`, ['FAIL high']],
    ['a branch', 'git pull origin "$GITHUB_HEAD_REF"\nmake', ['FAIL medium']],
    ['a repository', 'url=${{ github.event.pull_request.head.repo.clone_url }}\ngit clone "$url" x', ['FAIL high']],
    ['an answer', 'sha=$(gh pr view 1 --json headRefOid -q .headRefOid)\ngit checkout $sha', ['FAIL high']],
    ['the event', 'git checkout "$(jq -r .pull_request.head.sha "$GITHUB_EVENT_PATH")"', ['FAIL high']],
    ['an answer that may be anything', 'x=$(gh api repos/o/r/pulls/1 --jq .x)\ngit checkout "$x"', ['WARN low']],
    ['an image', `image=ghcr.io/o/r:pr-${number}\ndocker pull "$image"`, ['WARN low']],
    ['an image that runs', `docker run --rm -e A=b -v "$PWD:/w" ghcr.io/o/r:${head} make`, ['WARN low']],
  ])('R31: %s that the script puts together', async (_, lines, expected) => {
    expect(await found(script(lines))).toEqual(expected)
  })

  it('R31: a variable that an earlier step sets', async () => {
    const before = `      - run: echo "SHA=${head}" >> "$GITHUB_ENV"\n`
    expect(await found(script('git checkout "$SHA"', undefined, before))).toEqual(['FAIL high'])
    const own = `      - env: { S: "${head}" }\n        run: echo "SHA=$S" >> $GITHUB_ENV\n`
    expect(await found(script('git checkout "$SHA"', undefined, own))).toEqual(['FAIL high'])
    const steps = `${before}${checkout('${{ env.SHA }}')}`
    expect(await found(on('pull_request_target', steps))).toEqual(['FAIL high'])
  })

  it.each([
    ['a new branch', `git checkout -b "bot/\${{ github.head_ref }}"`],
    ['its own ref', 'ref=main\ngit fetch origin "$ref"\ngit checkout "$GITHUB_SHA" "$OTHER"'],
    [
      'its own answer',
      'b=$(gh api repos/o/r --jq .default_branch)\ngit checkout "$b"\nv=$(git describe)\ngit switch "$v"',
    ],
    ['a release', 'tag=$(gh release view --json tagName)\ngit checkout "$tag"\nv=$(cat VERSION)\ngit checkout "v$v"'],
    ['an image of its own', 'image=a:1\ndocker run "$image"\ndocker build -t "$image" .'],
    ['an image that is given a commit', `docker run --rm -e SHA=${head} a:1 b\ndocker run --env "SHA=${head}" a:1`],
    ['variables of themselves', 'a="$a$b"\nb="$b$a"\ngit checkout "$a$b"'],
  ])('R31: %s is none', async (_, lines) => {
    expect(await found(script(lines))).toEqual([])
  })

  it('R31: hostile variables take no time', async () => {
    const doubling = Array.from(
      { length: 300 },
      (__, index) => `v${index}="$v${index + 1}$v${index + 2}$v${index + 3}"`,
    )
    const lines = [...doubling, ...Array.from({ length: 300 }, () => 'git checkout "$v0$v1$v2"')].join('\n')
    const started = performance.now()
    await judged('R31', script(lines))
    expect(performance.now() - started).toBeLessThan(1500)
  })
})
