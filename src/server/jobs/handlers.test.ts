import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { httpHandler } from './http-handler.ts'
import { boundedResult, type JobRun } from './job.ts'
import { moduleHandler } from './module-handler.ts'

let dir: string
const server = createServer((request, response) => {
  response.statusCode = Number(request.url?.slice(1))
  response.setHeader('location', '/200')
  response.end(request.url === '/200' ? '[1]' : 'not for us')
})
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'portcullis-job-handlers-'))
  await writeFile(join(dir, 'secret'), 'a-secret-of-some-length', { mode: 0o600 })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterAll(async () => {
  server.close()
  await rm(dir, { recursive: true })
})

const run: JobRun = {
  id: 'job_1',
  kind: 'a',
  attempt: 1,
  trigger: 'manual',
  tenant: 'main',
  data: {},
  signal: new AbortController().signal,
  progress: async () => undefined,
}

describe('callbacks', () => {
  const calling = (status: number, allowPrivate = true) =>
    httpHandler({
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/${status}`,
      secretFile: join(dir, 'secret'),
      timeoutMs: 2000,
      allowPrivate,
    })

  it('J2: what is no JSON object is shown as text, and a status other than 2xx is a failure, redirects too', async () => {
    const fine = calling(200)
    expect(await fine.handler(run)).toEqual({ status: 200, text: '[1]' })
    await fine.close()
    for (const status of [302, 404, 500]) {
      const { handler, close } = calling(status)
      await expect(handler(run)).rejects.toThrow(`the callback answered ${status}`)
      await close()
    }
  })

  it('J2: a callback goes to no network of ones own without allowPrivate', async () => {
    const { handler, close } = calling(200, false)
    await expect(handler(run)).rejects.toThrow(/not an https URL/)
    await close()
  })
})

describe('modules', () => {
  it('J2: a module runs by its default export or its export run, and any value is a result', async () => {
    await writeFile(join(dir, 'default.mjs'), 'export default ({ kind }) => kind')
    await writeFile(join(dir, 'run.mjs'), 'export const run = async () => ({ rows: 3 })')
    await writeFile(join(dir, 'nothing.mjs'), 'export const run = () => undefined')
    expect(await (await moduleHandler('a', join(dir, 'default.mjs')))(run)).toEqual({ value: 'a' })
    expect(await (await moduleHandler('a', join(dir, 'run.mjs')))(run)).toEqual({ rows: 3 })
    expect(await (await moduleHandler('a', join(dir, 'nothing.mjs')))(run)).toEqual({ value: null })
  })

  it('J2: a module that cannot be loaded, or has no job, is told at the start', async () => {
    await writeFile(join(dir, 'broken.mjs'), 'export default (')
    await writeFile(join(dir, 'empty.mjs'), 'export const other = 1')
    await expect(moduleHandler('a', join(dir, 'broken.mjs'))).rejects.toThrow(/cannot be loaded/)
    await expect(moduleHandler('a', join(dir, 'empty.mjs'))).rejects.toThrow(/has no job/)
  })
})

describe('results', () => {
  it('J2: a result that is too large says so in its place', () => {
    expect(boundedResult({ a: 1 })).toEqual({ a: 1 })
    expect(boundedResult({ a: 'x'.repeat(70_000) })).toEqual({ truncated: true, bytes: 70_008 })
  })
})
