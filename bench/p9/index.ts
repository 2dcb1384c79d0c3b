import { median, type Bar } from '../bar.ts'
import { load } from '../load.ts'
import { startOurs } from '../ours.ts'
import { hardenedCalls } from '../p1/index.ts'

/** P9: two workers against one. On fewer than eight cores the figure is reported and says nothing about the bar. */
export const p9: Bar = {
  id: 'P9',
  claim: 'hardened durable writes of two workers against one, 256 in flight',
  run: async ({ rounds, seconds, say }) => {
    const two = await startOurs({}, ['--workers', '2'])
    const one = await startOurs()
    try {
      const calls = { two: await hardenedCalls(two), one: await hardenedCalls(one) }
      const rates: { two: number[]; one: number[] } = { two: [], one: [] }
      await load(two.grpc, 256, 2, calls.two)
      await load(one.grpc, 256, 2, calls.one)
      for (let round = 0; round < rounds; round += 1) {
        rates.two.push((await load(two.grpc, 256, seconds, calls.two)).perSecond)
        rates.one.push((await load(one.grpc, 256, seconds, calls.one)).perSecond)
        say(`round ${round + 1}: two ${rates.two.at(-1)?.toFixed(0)}, one ${rates.one.at(-1)?.toFixed(0)} calls/s`)
      }
      const ratio = median(rates.two.map((rate, round) => rate / (rates.one[round] ?? Number.NaN)))
      return { ours: median(rates.two), twin: median(rates.one), ratio, unit: 'calls/s', more: {} }
    } finally {
      await two.stop()
      await one.stop()
    }
  },
}
