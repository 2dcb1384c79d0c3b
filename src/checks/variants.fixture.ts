import type { Outcome } from './outcome.ts'

export type Files = Readonly<Record<string, string>>

/** The smallest realistic files for each way in which a check of files can come out. */
export interface Cases {
  readonly holds: Files
  /** FAIL, each in another kind of place. */
  readonly broken: readonly Files[]
  /** WARN. */
  readonly doubtful?: readonly Files[]
  /** The variants in which a fix is withheld that there is otherwise, because it would have to change more than the fault. */
  readonly withheld?: RegExp
  /** What cannot be judged, and whether that is an ERROR or UNKNOWN. */
  readonly unclear: readonly [outcome: Outcome, files: Files]
  readonly absent: Files
}

export const ci = '.github/workflows/ci.yml'
export const job = (steps: string, more = '', top = 'on: push\n'): Files => ({
  [ci]: `${top}jobs:\n  build:\n${more}    runs-on: ubuntu-latest\n    steps:\n      - run: make\n${steps}`,
})
export const run = (script: string, more = ''): Files => job(`      - name: It\n        run: ${script}\n${more}`)
export const uses = (action: string, ...inputs: readonly string[]): Files => job(using(action, ...inputs))
export const using = (action: string, ...inputs: readonly string[]): string =>
  `      - uses: ${action}\n${inputs.length === 0 ? '' : '        with:\n'}${inputs.map((input) => `          ${input}\n`).join('')}`
export const called = (more: string): Files => ({
  [ci]: `on: push\njobs:\n  call:\n    uses: acme/tools/.github/workflows/scan.yml@v1\n${more}`,
})
export const torn: readonly [Outcome, Files] = ['ERROR', { [ci]: 'on: push\njobs:\n  build: [unclosed\n' }]
export const none: Files = { 'README.md': '# nothing' }

export const compose = (more: string, image = 'acme/web:1'): Files => ({
  'compose.yaml': `services:\n  web:\n    image: ${image}\n${more}`,
})
export const deployment = (security: string): Files => ({
  'deploy.yaml': `apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  template:\n    spec:\n      containers:\n        - name: web\n          image: acme/web:1\n${security}`,
})
export const tornCompose: readonly [Outcome, Files] = ['ERROR', { 'compose.yaml': 'services:\n  web: [\n' }]

export const text = (path: string, ...lines: readonly string[]): Files => ({ [path]: `${lines.join('\n')}\n` })
export const noise = '}}) %% ((( @@ '.repeat(400)
export const sha = '08c6903cd8c0fde910a37f88322edcfb5dd907a8'
export const hash = `--hash=sha256:${'0'.repeat(64)}`
export const digest = `sha256:${'0123456789abcdef'.repeat(4)}`
// Put together here, so that none stands in a file.
export const weak = ['change', '-in-', 'production'].join('')
export const drop = ['rm', '-rf'].join(' ')

export const caddy = (...lines: readonly string[]): Files => text('Caddyfile', 'api.example.test {', ...lines, '}')
export const hsts = '\theader Strict-Transport-Security "max-age=63072000; includeSubDomains"'
export const grpc = ['\t@grpc protocol grpc', '\thandle @grpc {', '\t\treverse_proxy h2c://127.0.0.1:50051', '\t}']
export const rest = ['\thandle {', '\t\trespond 404', '\t}']

export const audits = ['create schema audits;', 'create table audits.events (id bigint, body jsonb);']
export const keep = [
  'create function audits.refuse() returns trigger language plpgsql as $$',
  'begin',
  "  raise exception 'append-only';",
  'end $$;',
  'create trigger keep before update or delete or truncate on audits.events',
  '  for each statement execute function audits.refuse();',
]
export const metrics = ['create table metrics (at timestamptz not null);', "select create_hypertable('metrics', 'at');"]
export const proto = (...lines: readonly string[]): Files =>
  text(
    'proto/tasks.proto',
    'syntax = "proto3";',
    'package acme.v1;',
    'import "google/protobuf/struct.proto";',
    ...lines,
  )
export const head = '${{ github.event.pull_request.head.sha }}'
export const fromFork = (ref: string): Files => ({
  ...job(using('actions/checkout@v4.2.2', `ref: ${ref}`) + '      - run: npm test\n', '', 'on: pull_request_target\n'),
})
export const publish = '      - run: npm publish\n'
export const dependabot = (more: string): Files => ({
  '.github/dependabot.yml': `version: 2\nupdates:\n  - package-ecosystem: npm\n    directory: /\n    schedule:\n      interval: weekly\n${more}`,
})
export const mint = (...inputs: readonly string[]): Files =>
  uses('actions/create-github-app-token@v2', 'app-id: 1', ...inputs)
