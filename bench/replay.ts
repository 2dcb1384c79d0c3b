import { parseArgs } from 'node:util'
import { readTrace } from '#demo'
import { reach, startOurs, type Reached } from './ours.ts'
import { checkReplay } from './replay/check.ts'
import { sendTrace } from './replay/send.ts'

const usage = `usage: npm run -s replay -- FILE.csv [--rows N] [--dir FOLDER] [--json]

Replays a trace of model calls (TIMESTAMP,ContextTokens,GeneratedTokens) through the gRPC API and checks what was recorded.
Without --dir it starts an instance of its own. With --dir it takes the one that \`up\` runs in that folder, reached by
PORTCULLIS_GRPC, PORTCULLIS_URL and an admin's PORTCULLIS_KEY.`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rows: { type: 'string' }, dir: { type: 'string' }, json: { type: 'boolean', default: false } },
})
const [file, ...more] = positionals
const rowsMax = values.rows === undefined ? Infinity : Number(values.rows)
if (file === undefined || more.length > 0 || !(rowsMax >= 1)) {
  console.error(usage)
  process.exit(2)
}
const rows = await readTrace(file, rowsMax)
const inFile = {
  input: rows.reduce((sum, { inputTokens }) => sum + inputTokens, 0),
  output: rows.reduce((sum, { outputTokens }) => sum + outputTokens, 0),
}
const target = await serverOf(values.dir)
try {
  const sent = await sendTrace(target.server, rows, (line) => console.error(line))
  console.error('checking what was recorded')
  const { recorded, totals, withEntry, chain } = await checkReplay(target.server, sent)
  const holds = {
    tokens: [recorded, totals].every(
      ({ input, output, attempts }) => input === inFile.input && output === inFile.output && attempts === rows.length,
    ),
    entries: withEntry === rows.length,
    chain: chain.chain_valid,
  }
  const { runIds, retries, seconds } = sent
  const result = {
    calls: rows.length,
    runs: runIds.length,
    seconds: Math.round(seconds * 100) / 100,
    callsPerSecond: Math.round(rows.length / seconds),
    retries,
    expected: inFile,
    recorded,
    totals,
    withEntry,
    chain,
    holds,
  }
  if (values.json) console.log(JSON.stringify(result))
  else console.log(report(result))
  if (!Object.values(holds).every(Boolean)) process.exitCode = 1
} finally {
  await target.stop()
}

async function serverOf(dir: string | undefined): Promise<{ readonly server: Reached; stop(): Promise<void> }> {
  if (dir === undefined) {
    const own = await startOurs()
    return { server: own, stop: () => own.stop() }
  }
  const {
    PORTCULLIS_GRPC: grpc = '127.0.0.1:50051',
    PORTCULLIS_URL: url = 'http://127.0.0.1:8080',
    PORTCULLIS_KEY: adminKey,
  } = process.env
  if (adminKey === undefined) {
    console.error('Set PORTCULLIS_KEY to the admin key of the instance in --dir.')
    process.exit(2)
  }
  return { server: reach({ dir, grpc, url, adminKey }), stop: () => Promise.resolve() }
}

type Result = Readonly<Record<'calls' | 'runs' | 'seconds' | 'callsPerSecond' | 'retries' | 'withEntry', number>> &
  Pick<Awaited<ReturnType<typeof checkReplay>>, 'recorded' | 'chain'> & {
    readonly expected: { readonly input: number; readonly output: number }
    readonly holds: Readonly<Record<'tokens' | 'entries' | 'chain', boolean>>
  }

function report({
  calls,
  runs,
  seconds,
  callsPerSecond,
  retries,
  withEntry,
  recorded,
  chain,
  expected,
  holds,
}: Result): string {
  const number = (value: number): string => value.toLocaleString('en-US')
  const mark = (good: boolean): string => (good ? 'ok    ' : 'WRONG ')
  return [
    `${number(calls)} calls of 5 agents in ${runs} runs: ${seconds} s, ${number(callsPerSecond)} calls/s, ${retries} sent again`,
    `${mark(holds.tokens)}tokens: ${number(recorded.input)} in and ${number(recorded.output)} out recorded; ${number(expected.input)} and ${number(expected.output)} in the file`,
    `${mark(holds.entries)}entries: ${number(withEntry)} of ${number(calls)} calls have exactly one`,
    `${mark(holds.chain)}chain: ${number(chain.count)} entries of the log ${chain.log}; ${chain.detail}; root ${chain.root}`,
  ].join('\n')
}
