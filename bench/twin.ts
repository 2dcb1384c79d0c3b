import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

export interface Twin {
  readonly grpc: string
  readonly pid: number
  stop(): void
}

/** Starts a naive twin as a process of its own; it prints one line with its address. */
export async function startTwin(file: URL, env: Readonly<Record<string, string>> = {}): Promise<Twin> {
  const child = spawn(process.execPath, [file.pathname], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  for await (const line of createInterface({ input: child.stdout })) {
    const { grpc } = JSON.parse(line) as { grpc: string }
    return { grpc, pid: child.pid ?? 0, stop: () => void child.kill() }
  }
  throw new Error('the naive twin ended before it was ready')
}
