import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { z } from 'zod'
import { readIfPresent, writePrivateFile } from './private-file.ts'
import { listenAddress } from './settings.ts'

const portText = z.coerce.number().int().min(1024).max(65_535)
// Below the ranges from which Linux (32768) and macOS (49152) serve outgoing connections, so that it stays free.
const portMin = 20_000
const portEnd = 30_000
const tries = 50

/** The port kept from the last start, or undefined. */
export async function keptPort(file: string): Promise<number | undefined> {
  const text = (await readIfPresent(file))?.trim()
  return text ? portText.safeParse(text).data : undefined
}

/** Keeps a port for the next start. */
export async function keepPort(file: string, port: number): Promise<void> {
  if ((await keptPort(file)) !== port) await writePrivateFile(file, `${port}\n`)
}

/** A port that was free a moment ago; only binding it tells for sure. */
export async function choosePort(): Promise<number> {
  for (let attempt = 0; attempt < tries; attempt += 1) {
    const port = randomInt(portMin, portEnd)
    if (await isFree(port)) return port
  }
  throw new Error(
    `No free TCP port found on ${listenAddress} between ${portMin} and ${portEnd - 1}. Free one and start again.`,
  )
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    server.listen(port, listenAddress)
    await once(server, 'listening')
    server.close()
    await once(server, 'close')
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') return false
    throw error
  }
}
