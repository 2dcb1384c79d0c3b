import { paint, printable } from './print.ts'

/** A new key on a line of its own. The key is empty where the server repeated the answer to a call that it had done before. */
export function onceText(key: string, keyId: string, colours: boolean): string {
  if (key === '') {
    return `The key ${printable(keyId)} was made, but its text was lost with the connection. Revoke it and make another.\n`
  }
  return `${paint(colours).bold('The key is shown once; keep it:')}\n${printable(key)}\n`
}
