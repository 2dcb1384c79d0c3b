import { describe, expect, it } from 'vitest'
import { judged, places } from '../../checks.fixture.ts'

const script = (body: string): Record<string, string> => ({
  'scripts/purge.sh': `#!/usr/bin/env bash\nset -eu\n${body}\n`,
})

describe('R24', () => {
  it('R24: does not apply without scripts', async () => {
    expect((await judged('R24', { 'src/a.ts': 'rmSync(dir, { recursive: true })' })).outcome).toBe('NOT_APPLICABLE')
  })

  it('R24: a script that a shell would refuse is an error at its place', async () => {
    const result = await judged('R24', script('if true; then\n  rm -rf "$1"'))
    expect(result.outcome).toBe('FAIL')
    expect(result.evidence.map(({ outcome }) => outcome)).toContain('ERROR')
    expect((await judged('R24', script('if true; then\n  echo x'))).outcome).toBe('ERROR')
  })

  it.each([
    'rm -rf "$1"',
    'rm -fr -- "$DATA_DIR"/*',
    'for each in "$@"; do rm -r "$each"; done',
    'sudo rm -rf /var/lib/postgresql/18',
    'find "$1" -mtime +30 -delete',
    'find "$1" -print0 | xargs -0 rm -rf "$1"',
    'psql "$DATABASE_URL" -c "DROP TABLE customers"',
    "psql <<'END'\nTRUNCATE audits.entries;\nEND",
    'docker exec db psql -c "DELETE FROM runs"',
    'kubectl delete namespace "$NS"',
    'terraform destroy -auto-approve',
    'aws s3 rm "s3://$BUCKET" --recursive',
    'redis-cli -h cache FLUSHALL',
    'docker volume rm pgdata',
    'helm uninstall hub',
    'dropdb production',
  ])('R24: is broken by %s', async (body) => {
    expect(places(await judged('R24', script(body))).map((place) => place.split(' ').at(-1))).toEqual(['FAIL'])
  })

  it.each([
    'rm -rf dist node_modules "$ROOT/build" ./coverage',
    'tmp=$(mktemp -d)\ntrap \'rm -rf "$tmp"\' EXIT\nrm -rf "$tmp/unpacked"',
    'work="$(mktemp -d)"\nplace="$work/a"\nrm -rf "$place"',
    'rm -rf "${TMPDIR:-/tmp}/portcullis"',
    'rm -f "$1"',
    'here=$(cd "$(dirname "$0")/.." && pwd)\nrm -rf "$here/site"',
    '[ -d "$PLACE" ] && rm -rf "$PLACE"\nmkdir -p "$PLACE/usr/share"',
    'find "$1" -type d -empty -delete',
    'rm -rf "$home/new"\nmv unpacked "$home/new"',
    'psql -c "DELETE FROM runs WHERE ended_at < now()"',
    'psql -c "DROP DATABASE IF EXISTS portcullis_test"',
    'kubectl delete namespace x --dry-run=client',
    'kubectl get pods',
    'aws s3 rm s3://bucket/one-key',
    'echo "rm -rf $1"',
    'docker compose down',
    'git push origin main',
  ])('R24: holds for what a build or a test made: %s', async (body) => {
    expect(places(await judged('R24', script(body)))).toEqual([])
  })

  it.each([
    'exec portcullis ops run --name purge -- rm -rf "$1"',
    'npx portcullis ops run --confirm -- kubectl delete namespace "$NS"',
    '[ "${OPS_CONFIRM:-}" = 1 ] || exit 1\nrm -rf "$1"',
    'case "$2" in --confirm) ;; *) exit 1 ;; esac\nrm -rf "$1"',
  ])('R24: holds behind the guard: %s', async (body) => {
    expect(places(await judged('R24', script(body)))).toEqual([])
  })

  it('R24: holds where everybody who runs it runs it behind the guard', async () => {
    const nightly = '.github/workflows/nightly.yml'
    const flow = (run: string): string => `on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: ${run}\n`
    const files = {
      ...script('rm -rf "$1"'),
      [nightly]: flow('portcullis ops run --confirm -- ./scripts/purge.sh /srv/x'),
    }
    expect((await judged('R24', files)).outcome).toBe('PASS')
    expect((await judged('R24', { ...files, [nightly]: flow('./scripts/purge.sh /srv/x') })).outcome).toBe('FAIL')
  })

  it('R24: a question on the terminal is a doubt: nothing records it', async () => {
    const body = 'read -rp "Sure? " answer\n[ "$answer" = y ] || exit 1\nrm -rf "$1"'
    expect(places(await judged('R24', script(body)))).toEqual(['scripts/purge.sh:5:1 WARN'])
  })

  it.each([
    ['tools/purge.ts', 'await rm(process.argv[2], { recursive: true })', '1:7 FAIL'],
    ['tools/purge.mjs', "execSync(`rm -rf ${target}/x`)\nexecSync('kubectl delete ns hub')", '2:1 FAIL'],
    [
      'tools/purge.js',
      'const where = process.env.WHERE\nfs.rmSync(where, { recursive: true, force: true })',
      '2:1 FAIL',
    ],
    ['ops/purge.ts', "await client.query('TRUNCATE audits.entries')", '1:7 FAIL'],
    ['scripts/purge.py', 'import shutil, sys\nshutil.rmtree(sys.argv[1])\n', '2:1 FAIL'],
    ['scripts/purge.py', 'import subprocess\nsubprocess.run(["rm", "-rf", path])\n', '2:1 FAIL'],
    ['scripts/purge.py', 'cursor.execute("DELETE FROM runs")\n', '1:1 FAIL'],
  ])('R24: is broken by %s: %s', async (path, text, place) => {
    expect(places(await judged('R24', { [path]: text }))).toEqual([`${path}:${place}`])
  })

  it.each([
    ['tools/build.ts', "await rm('dist', { recursive: true, force: true })"],
    ['tools/build.ts', "const out = new URL('../dist', import.meta.url).pathname\nrmSync(out, { recursive: true })"],
    ['tools/check.ts', "const dir = await mkdtemp(join(tmpdir(), 'x-'))\nawait rm(dir, { recursive: true })"],
    [
      'tools/purge.ts',
      "if (process.env.OPS_CONFIRM !== '1') process.exit(1)\nawait rm(process.argv[2], { recursive: true })",
    ],
    ['tools/purge.ts', 'await runGuarded(script, demand, ports, () => rm(process.argv[2], { recursive: true }))'],
    ['scripts/clean.py', 'import shutil\nshutil.rmtree("build", ignore_errors=True)\n'],
    ['scripts/list.py', 'cursor.execute("SELECT 1")\n'],
    ['src/lib/tools/session.ts', 'await rm(process.argv[2], { recursive: true })'],
    ['src/store.ts', "await client.query('TRUNCATE x')"],
  ])('R24: holds for %s: %s', async (path, text) => {
    expect(places(await judged('R24', { [path]: text, 'scripts/a.sh': 'echo hi\n' }))).toEqual([])
  })
})
