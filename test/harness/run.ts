import { spawn } from 'node:child_process'
import { once } from 'node:events'

export interface RunOptions {
  /** What the program reads. */
  readonly input?: string
  /** Variables beside those of this process. */
  readonly env?: Readonly<Record<string, string>>
  /** The exit code that is right. */
  readonly code?: number
}

/** Runs a program to its end and resolves with its stdout; rejects where it ends with another code. */
export async function run(
  command: string,
  args: readonly string[],
  { input = '', env = {}, code = 0 }: RunOptions = {},
): Promise<string> {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  // A program that does not read its input may have closed it.
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const [ended]: unknown[] = await once(child, 'close')
  if (ended !== code) throw new Error(`${command} ended with ${String(ended)}:\n${stderr}${stdout}`)
  return stdout
}
