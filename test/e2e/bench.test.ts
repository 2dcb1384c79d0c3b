import { expect, it } from 'vitest'
import { run } from '../harness/run.ts'

it('P1: the bench measures the hardened write and its naive twin side by side, and no call of either fails', async () => {
  const stdout = await run(process.execPath, ['bench/main.ts', 'P1', '--json', '--rounds', '1', '--seconds', '1'])
  const figures: unknown = JSON.parse(stdout)
  expect(figures).toMatchObject({ id: 'P1', unit: 'calls/s', ratio: expect.any(Number), cores: expect.any(Number) })
  expect(figures).toMatchObject({
    ours: expect.any(Number),
    twin: expect.any(Number),
    date: expect.stringMatching(/^\d{4}-\d\d-\d\d$/),
  })
})

it('P3: the bench appends to the ledger and to its naive twin side by side, and what it appended verifies', async () => {
  const stdout = await run(process.execPath, ['bench/main.ts', 'P3', '--json', '--rounds', '1', '--seconds', '1'])
  expect(JSON.parse(stdout)).toMatchObject({
    id: 'P3',
    unit: 'entries/s',
    ratio: expect.any(Number),
    loneOursP50Ms: expect.any(Number),
    verifyOfflinePerSecond: expect.any(Number),
    verifyOnlinePerSecond: expect.any(Number),
  })
})

it('P4: the bench reserves and settles in shared transactions and one by one, and lets in exactly what has room', async () => {
  const stdout = await run(process.execPath, ['bench/main.ts', 'P4', '--json', '--rounds', '1', '--seconds', '1'])
  expect(JSON.parse(stdout)).toMatchObject({
    id: 'P4',
    unit: 'lifecycles/s',
    ratio: expect.any(Number),
    admittedOurs: 50,
    admittedRight: 50,
    oursGrpc: expect.any(Number),
  })
})

it('P5: the bench records batches and single rows side by side, then reads pages, rolls up and drops a day over rows of days', async () => {
  const args = ['bench/main.ts', 'P5', '--json', '--rounds', '1', '--seconds', '1', '--rows', '8000']
  expect(JSON.parse(await run(process.execPath, args))).toMatchObject({
    id: 'P5',
    unit: 'rows/s',
    ratio: expect.any(Number),
    attemptsFirstP95Ms: expect.any(Number),
    rollUpDayAttempts: 1000,
    droppedMs: expect.any(Number),
  })
})

it('P6: the bench gives tokens of ours and of the bare library side by side, and no request of either fails', async () => {
  const stdout = await run(process.execPath, ['bench/main.ts', 'P6', '--json', '--rounds', '1', '--seconds', '1'])
  expect(JSON.parse(stdout)).toMatchObject({
    id: 'P6',
    unit: 'tokens/s',
    ratio: expect.any(Number),
    oursP99Ms: expect.any(Number),
  })
})

it('P7: the bench looks at workflow files with every check and parses them alone side by side, and starts the command cold', async () => {
  const stdout = await run(process.execPath, ['bench/main.ts', 'P7', '--json', '--rounds', '1', '--seconds', '0.5'])
  expect(JSON.parse(stdout)).toMatchObject({
    id: 'P7',
    unit: 'files/s',
    ratio: expect.any(Number),
    coldStartMs: expect.any(Number),
  })
})

it('P2: the bench asks for decisions that are recorded and for echoes side by side, and no call of either fails', async () => {
  const stdout = await run(process.execPath, ['bench/main.ts', 'P2', '--json', '--rounds', '1', '--seconds', '1'])
  expect(JSON.parse(stdout)).toMatchObject({
    id: 'P2',
    unit: 'calls/s',
    ratio: expect.any(Number),
    decidedWithin200Us: expect.any(Number),
  })
})

it('P8: the bench reads the memory of the server under load and its CPU when idle', async () => {
  const stdout = await run(process.execPath, ['bench/main.ts', 'P8', '--json', '--rounds', '1', '--seconds', '1'])
  const { ours, idleCpuPercent } = JSON.parse(stdout)
  // Far from the bars, which need half an hour and a quiet machine: a server that eats memory or spins is seen here too.
  expect(ours).toBeGreaterThan(50)
  expect(ours).toBeLessThan(700)
  expect(idleCpuPercent).toBeLessThan(50)
})

it('P9: the bench measures two workers and one side by side', async () => {
  const stdout = await run(process.execPath, ['bench/main.ts', 'P9', '--json', '--rounds', '1', '--seconds', '1'])
  expect(JSON.parse(stdout)).toMatchObject({ id: 'P9', unit: 'calls/s', ratio: expect.any(Number) })
})
