import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '..')

/** Which rooms each room may import. Rows for rooms that do not exist yet are the plan; a folder without a row fails. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  core: ['contract'],
  gate: ['core', 'contract'],
  ledger: ['core'],
  authority: ['core', 'ledger'],
  hub: ['core', 'contract', 'ledger'],
  secrets: ['core'],
  config: ['core'],
  checks: ['core', 'contract', 'config', 'ledger'],
  guard: ['core', 'ledger'],
  store: ['core', 'gate', 'ledger', 'authority', 'hub', 'secrets'],
  server: ['core', 'contract', 'gate', 'ledger', 'authority', 'hub', 'config', 'checks', 'guard', 'store', 'secrets'],
  demo: ['core', 'contract'],
  cli: ['core', 'config', 'checks', 'guard', 'secrets', 'server', 'demo', 'sdk'],
}

/** Packages that live behind few files: what else imports them builds a second way to the same thing. */
const packageHomes: Readonly<Record<string, readonly RegExp[]>> = {
  pg: [/^store\//, /^server\/(bootstrap|provision|serve|up|connection-settings)\.ts$/, /^server\/(embedded|backup)\//],
  '@grpc/grpc-js': [/^server\/grpc\//, /^checks\/collect\/wire\//],
  fastify: [/^server\/http\//, /^server\/(management|debug)\.ts$/],
  '@cedar-policy/cedar-wasm': [/^server\/policy\//],
  '@pydantic/genai-prices': [/^server\/prices\.ts$/],
  commander: [/^cli\//],
  pino: [/^server\//],
  '@opentelemetry/api': [/^server\/telemetry\//],
  '@opentelemetry/sdk-metrics': [/^server\/telemetry\/(metrics|otlp)\.ts$/],
  '@opentelemetry/sdk-trace': [/^server\/telemetry\/otlp\.ts$/],
  redis: [/^server\/shared-rates\//],
  'pg-boss': [/^server\/jobs\//],
  '@humanwhocodes/momoa': [/^checks\/collect\//],
  'toml-eslint-parser': [/^checks\/collect\//],
  'dockerfile-ast': [/^checks\/collect\//],
  'libpg-query': [/^checks\/collect\//],
  unbash: [/^checks\/collect\/shell\//],
  '@lezer/common': [/^checks\/collect\//],
  '@secretlint/core': [/^checks\/collect\//],
  'structured-headers': [/^gate\/signature\//],
  '@nats-io/jetstream': [/^ledger\/sinks\/nats-stream\.ts$/],
  '@nats-io/transport-node': [/^ledger\/sinks\/nats-stream\.ts$/],
  // The library in one file; the others name its types.
  'oidc-provider': [
    /^authority\/(provider|provider-settings|provider-key|adapter|client|events|introspect|interactions)\.ts$/,
  ],
  'openid-client': [/^authority\/upstream\.ts$/],
  jose: [/^authority\/jws-signature\.ts$/],
  '@aws-sdk/client-kms': [/^secrets\/kms\.ts$/],
  '@aws-sdk/client-s3': [/^ledger\/sinks\/object-store\.ts$/],
  '@smithy/signature-v4': [/^ledger\/sinks\/cloudtrail\.ts$/],
}

/** Rooms that decide hold no I/O of their own: state, time and randomness come through ports. */
const pureRooms = ['gate', 'hub']

// The command line is entered through bin/, never imported.
const doors: Readonly<Record<string, string>> = { cli: 'main.ts' }
const doorLinesMax = 30
const fileLinesMax = 400

interface Import {
  readonly file: string
  readonly room: string
  readonly from: string
  readonly typeOnly: boolean
}

const files = globSync('src/**/*.ts', { cwd: root }).map((file) => relative('src', file))
const sources = files.filter((file) => !/\.(test|fixture)\.ts$/.test(file))
const rooms = [...new Set(files.map(roomOf))]
const imports = sources.flatMap(importsOf)

function roomOf(file: string): string {
  return file.split('/')[0] ?? ''
}

function textOf(file: string): string {
  return readFileSync(join(root, file), 'utf8')
}

function importsOf(file: string): readonly Import[] {
  const text = textOf(join('src', file))
  const found = text.matchAll(/^(?:import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?'([^']+)'|\bimport\('([^']+)'\)/gm)
  return [...found].map(([, type, from, dynamic]) => ({
    file,
    room: roomOf(file),
    from: from ?? dynamic ?? '',
    typeOnly: type !== undefined,
  }))
}

/** The room behind `#room` or the contract package; undefined for everything that is not ours. */
function target({ from }: Import): string | undefined {
  if (from.startsWith('@portcullis/')) return from.split('/')[1]
  return from.startsWith('#') ? from.slice(1) : undefined
}

describe('the house', () => {
  it('finds the imports that it judges', () => {
    expect(imports.length).toBeGreaterThan(300)
    expect(imports.filter(({ from }) => from === '#core').length).toBeGreaterThan(50)
    expect(imports.some(({ file, from, typeOnly }) => file === 'gate/ports.ts' && from === '#core' && typeOnly)).toBe(
      true,
    )
  })

  it.each(rooms)('%s imports only the rooms that it may', (room) => {
    expect(Object.keys(mayImport)).toContain(room)
    const allowed = new Set(mayImport[room])
    const wrong = imports.filter(
      (one) => one.room === room && target(one) !== undefined && !allowed.has(target(one) ?? ''),
    )
    expect(wrong.map(({ file, from }) => `${file} imports ${from}`)).toEqual([])
  })

  it('no relative path leaves its room', () => {
    const wrong = imports.filter(
      ({ file, room, from }) => from.startsWith('.') && roomOf(join(dirname(file), from)) !== room,
    )
    expect(wrong.map(({ file, from }) => `${file} imports ${from}`)).toEqual([])
  })

  it('no import reaches past the door of a room', () => {
    expect(
      imports
        .filter((one) => /^#[^/]+\/|^@portcullis\/[^/]+\/|^src\//.test(one.from))
        .map(({ file, from }) => `${file} imports ${from}`),
    ).toEqual([])
  })

  it.each(rooms)('%s has one door: named exports only, at most 30 lines', (room) => {
    const door = doors[room] ?? 'index.ts'
    const text = textOf(join('src', room, door))
    expect(text.split('\n').length - 1).toBeLessThanOrEqual(doorLinesMax)
    expect(text).not.toMatch(/export \*|export default/)
    if (door !== 'index.ts') return
    const { imports: map } = JSON.parse(textOf('package.json'))
    expect(map[`#${room}`]).toBe(`./src/${room}/index.ts`)
  })

  it('the store takes from the rooms that decide their ports and nothing that runs', () => {
    const wrong = imports.filter(
      (one) => one.room === 'store' && ['gate', 'hub', 'authority'].includes(target(one) ?? '') && !one.typeOnly,
    )
    expect(wrong.map(({ file, from }) => `${file} imports ${from}`)).toEqual([])
  })

  it.each(pureRooms)('%s has no I/O of its own', (room) => {
    const wrong = imports.filter(
      (one) => one.room === room && /^node:(?!crypto$)|^(pg|fastify|pino|@grpc\/.*)$/.test(one.from),
    )
    expect(wrong.map(({ file, from }) => `${file} imports ${from}`)).toEqual([])
  })

  it.each(Object.keys(packageHomes))('%s is imported only where it lives', (name) => {
    const homes = packageHomes[name] ?? []
    const uses = imports.filter(({ from }) => from === name || from.startsWith(`${name}/`))
    expect(uses.length).toBeGreaterThan(0)
    expect(uses.filter(({ file }) => !homes.some((home) => home.test(file))).map(({ file }) => file)).toEqual([])
  })

  it('the contract imports nothing of ours', () => {
    const wrong = globSync('contract/**/*.ts', { cwd: root }).filter(
      (file) => !file.includes('.test.') && /from '(#|\.\.\/\.\.\/src|\.\.\/src)/.test(textOf(file)),
    )
    expect(wrong).toEqual([])
  })

  it('no file is longer than 400 lines', () => {
    const all = globSync('{src,contract,test,tools,bench,bin}/**/*.{ts,js}', { cwd: root }).filter(
      (file) => !/node_modules|contract\/gen\//.test(file),
    )
    expect(all.filter((file) => textOf(file).split('\n').length - 1 > fileLinesMax)).toEqual([])
  })

  it('the map of package.json names no room twice and no path outside src', () => {
    const { imports: map } = JSON.parse(textOf('package.json'))
    for (const [name, path] of Object.entries(map))
      expect([name, path]).toEqual([name, `./src/${name.slice(1)}/index.ts`])
    const missing = Object.keys(map).filter((name) => !existsSync(join(root, 'src', name.slice(1))))
    // A name in the map without a room is a plan, and has its row above.
    expect(missing.filter((name) => mayImport[name.slice(1)] === undefined)).toEqual([])
  })
})
