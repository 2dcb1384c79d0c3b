import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import type { Bar } from './bar.ts'
import { p1 } from './p1/index.ts'
import { p2 } from './p2/index.ts'
import { p3 } from './p3/index.ts'
import { p4 } from './p4/index.ts'
import { p5 } from './p5/index.ts'
import { p6 } from './p6/index.ts'
import { p7 } from './p7/index.ts'
import { p8 } from './p8/index.ts'
import { p9 } from './p9/index.ts'

const bars: readonly Bar[] = [p1, p2, p3, p4, p5, p6, p7, p8, p9]

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    rows: { type: 'string', default: '0' },
  },
})
const wanted = bars.filter(({ id }) => positionals.length === 0 || positionals.includes(id))
if (wanted.length === 0) {
  console.error(`There is no bar ${positionals.join(' ')}; there are ${bars.map(({ id }) => id).join(', ')}.`)
  process.exit(2)
}
for (const bar of wanted) {
  const { more, ...result } = await bar.run({
    rounds: Number(values.rounds),
    seconds: Number(values.seconds),
    rows: Number(values.rows),
    say: (line) => console.error(`${bar.id} ${line}`),
  })
  const rounded = Object.fromEntries(
    Object.entries({ ...result, ...more }).map(([name, value]) => [
      name,
      typeof value === 'number' ? Math.round(value * 1000) / 1000 : value,
    ]),
  )
  const document = {
    id: bar.id,
    ...rounded,
    cores: availableParallelism(),
    node: process.version,
    date: new Date().toISOString().slice(0, 10),
  }
  if (values.json) console.log(JSON.stringify(document))
  else console.log(`${bar.id} ${bar.claim}: ratio ${rounded['ratio']}\n${JSON.stringify(document, null, 2)}`)
}
