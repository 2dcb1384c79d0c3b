import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Writes that many workflow files as repositories have them, the same ones each time; most of them give no finding. */
export async function writeCorpus(folder: string, files: number): Promise<void> {
  const workflows = join(folder, '.github', 'workflows')
  await mkdir(workflows, { recursive: true })
  await Promise.all(
    Array.from({ length: files }, (_, index) =>
      writeFile(join(workflows, `w${String(index).padStart(4, '0')}.yml`), workflowText(index)),
    ),
  )
}

/** One workflow: 8 to 20 steps in one to four jobs. Every fifth has faults. */
export function workflowText(index: number): string {
  const random = randomFrom(index + 1)
  const faulty = index % 5 === 0
  const kind = pick(random, ['ci', 'release', 'nightly', 'pages', 'docker'])
  const jobs = 1 + Math.floor(random() * 4)
  const names = ['build', 'test', 'lint', 'publish'].slice(0, jobs)
  const steps = Math.ceil((8 + Math.floor(random() * 13)) / jobs)
  return [
    `# ${kind} of component ${index}`,
    `name: ${kind} ${index}`,
    '',
    ...triggers(random, faulty),
    '',
    ...(faulty && random() < 0.4 ? [] : ['permissions:', '  contents: read', '']),
    'concurrency:',
    `  group: ${kind}-${index}${kind === 'release' ? '' : '-${{ github.ref }}'}`,
    `  cancel-in-progress: ${kind === 'release' ? 'false' : 'true'}`,
    '',
    'env:',
    "  FORCE_COLOR: '1'",
    `  CACHE_VERSION: v${Math.floor(random() * 9)}`,
    '',
    'jobs:',
    ...names.flatMap((name, at) => job(random, name, { needs: names[at - 1], steps, faulty })),
    '',
  ].join('\n')
}

function triggers(random: Random, faulty: boolean): readonly string[] {
  return pick(random, [
    ['on:', '  push:', '    branches: [main]', "    paths-ignore: ['docs/**', '*.md']", '  pull_request:'],
    ['on: [push, pull_request]'],
    ['on:', '  schedule:', "    - cron: '17 3 * * 1'", '  workflow_dispatch:', '    inputs:', ...input],
    ['on:', '  release:', '    types: [published]'],
    faulty
      ? ['on:', '  pull_request_target:', '    types: [opened, synchronize]']
      : ['on:', '  push:', "    tags: ['v*.*.*']"],
  ])
}

const input = [
  '      level:',
  '        description: How much to log',
  '        type: choice',
  '        options: [info, debug]',
]

interface Around {
  readonly needs: string | undefined
  readonly steps: number
  readonly faulty: boolean
}

function job(random: Random, name: string, { needs, steps, faulty }: Around): readonly string[] {
  const matrix = random() < 0.4
  return [
    `  ${name}:`,
    ...(needs === undefined ? [] : [`    needs: ${needs}`]),
    matrix ? '    runs-on: ${{ matrix.os }}' : '    runs-on: ubuntu-24.04',
    `    timeout-minutes: ${10 + Math.floor(random() * 30)}`,
    ...(matrix
      ? [
          '    strategy:',
          '      fail-fast: false',
          '      matrix:',
          '        os: [ubuntu-24.04, macos-15]',
          '        node: [22, 24]',
          '        include:',
          '          - os: windows-2025',
          '            node: 24',
        ]
      : []),
    '    steps:',
    ...checkout(random, faulty),
    ...Array.from({ length: steps - 1 }, (_, at) => step(random, at, faulty)).flat(),
  ]
}

function checkout(random: Random, faulty: boolean): readonly string[] {
  if (faulty && random() < 0.5) return ['      - uses: actions/checkout@v4']
  return [
    `      - uses: actions/checkout@${sha(random)} # v4.2.2`,
    '        with:',
    '          persist-credentials: false',
    '          fetch-depth: 0',
  ]
}

function step(random: Random, at: number, faulty: boolean): readonly string[] {
  if (faulty && random() < 0.12) return pick(random, faults)
  const made = pick(random, clean)
  return [`      # step ${at}`, ...made.map((line) => line.replace('<sha>', sha(random)).replace('<at>', String(at)))]
}

const key = [
  '          key: npm-${{ runner.os }}-${{ hashFiles("package-lock.json") }}',
  '          restore-keys: npm-',
]

const clean: readonly (readonly string[])[] = [
  ['      - uses: actions/setup-node@<sha> # v4.1.0', '        with:', '          node-version: 24.11.0'],
  ['      - uses: actions/cache@<sha> # v4.2.0', '        with:', '          path: ~/.npm', ...key],
  ['      - run: npm ci --ignore-scripts'],
  ['      - name: Lint', '        run: npm run lint -- --max-warnings=0'],
  [
    '      - name: Tests of part <at>',
    '        run: |',
    '          set -euo pipefail',
    '          mkdir -p reports',
    '          for part in $(ls packages); do',
    '            npm test --workspace "packages/$part" -- --reporter=junit > "reports/$part.xml"',
    '          done',
    '        env:',
    '          NODE_OPTIONS: --max-old-space-size=4096',
  ],
  [
    '      - name: Version',
    '        id: version<at>',
    '        shell: bash',
    '        run: |',
    '          version=$(node -p "require(\'./package.json\').version")',
    '          if [[ "$version" == *-* ]]; then',
    '            echo "channel=next" >> "$GITHUB_OUTPUT"',
    '          else',
    '            echo "channel=latest" >> "$GITHUB_OUTPUT"',
    '          fi',
  ],
  [
    '      - name: Say what changed',
    "        if: github.event_name == 'pull_request'",
    '        env:',
    '          TITLE: ${{ github.event.pull_request.title }}',
    '        run: echo "$TITLE" | tee -a "$GITHUB_STEP_SUMMARY"',
  ],
  [
    '      - uses: actions/upload-artifact@<sha> # v4.4.3',
    '        if: always()',
    '        with:',
    '          name: reports-<at>',
    '          path: |',
    '            reports/*.xml',
    '            coverage/lcov.info',
    '          retention-days: 7',
  ],
  [
    '      - name: Wait for the database',
    '        run: >-',
    '          timeout 60 bash -c',
    '          "until pg_isready --host localhost; do sleep 1; done"',
  ],
  [
    '      - name: Build',
    '        working-directory: packages/core',
    '        run: |',
    '          npm run build',
    '          tar --create --gzip --file ../../core.tgz dist',
    '          sha256sum ../../core.tgz > ../../core.tgz.sha256',
  ],
]

const faults: readonly (readonly string[])[] = [
  ['      - run: echo "${{ github.event.pull_request.title }}"'],
  ['      - uses: some/action@main'],
  ['      - run: curl -fsSL https://example.com/install.sh | bash'],
  ['      - run: npm install --global prettier'],
  ['      - run: pip install requests', '        env:', '          TOKEN: ${{ secrets.DEPLOY_TOKEN }}'],
]

type Random = () => number

// mulberry32: the same numbers on every machine.
function randomFrom(seed: number): Random {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function pick<T>(random: Random, from: readonly [T, ...T[]] | readonly T[]): T {
  const picked = from[Math.floor(random() * from.length)]
  if (picked === undefined) throw new Error('nothing to pick from')
  return picked
}

function sha(random: Random): string {
  let digits = ''
  while (digits.length < 40) digits += Math.floor(random() * 2 ** 32).toString(16)
  return digits.slice(0, 40)
}
