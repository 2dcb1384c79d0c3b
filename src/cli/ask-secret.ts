import { stderr, stdin } from 'node:process'
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { usage } from './errors.ts'

/** One line of a person at a terminal. Nothing of what is typed is shown: the terminal is in raw mode, and the echo goes nowhere. */
export function askSecret(prompt: string): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: stdin, output: nowhere, terminal: true, historySize: 0 })
  stderr.write(prompt)
  return new Promise<string>((resolve, reject) => {
    lines.once('line', resolve)
    // Ctrl-C and Ctrl-D; after a line the promise is settled already.
    lines.once('close', () => reject(usage('Nothing was typed.', 'Nothing was changed: run the command again.')))
    lines.once('SIGINT', () => lines.close())
  }).finally(() => {
    lines.close()
    stderr.write('\n')
  })
}
