import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** Runs a program that has to succeed, with that text as its input; resolves with its stdout. */
export async function run(command: string, args: readonly string[], input = ''): Promise<string> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  // A program that does not read its input may have closed it.
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const [code]: unknown[] = await once(child, 'close')
  if (code !== 0) throw new Error(`${command} ended with ${String(code)}:\n${stderr}${stdout}`)
  return stdout
}
