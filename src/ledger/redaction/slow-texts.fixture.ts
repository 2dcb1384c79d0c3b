import { parentPort } from 'node:worker_threads'
import { redactText } from './redact.ts'

const bytes = 1_048_576

// What detectors begin at, again and again, and what they would have to go back over.
const units: readonly string[] = [
  'a', '@', 'a@', 'a@a.', '1', '1 ', '+1 ', '(0', '-', 'sk-', 'sk-1', 'eyJ', 'eyJaaaaaaaa.', 'bearer ', 'bearer aaaaaaaa', '://',
  '://a:', '://a:a', '-----BEGIN ', '-----BEGIN PRIVATE KEY-----', 'xoxb-', 'AKIA', 'SG.', 'SG.aaaaaaaaaaaaaaaa', 'ü@', 'A A',
  '4111 ', '\\', '\\\\n', '\\u00', '%', '%3D', '%40', 'password', 'password=', 'password="', 'password: a\n', 'secret_key ', 'token',
  'token: "', '"\\"', 'a_b_', 'a-1-', 'a_aA1', 'key-', 'hooks.slack.com/services/', '?sig=a', 'h1:1:', '\u001b[0;', 'a~1Q~', '--a ',
  '123456789:AA', 'pgpass', '\n', '- ', 'A1b2C3', 'shared access key', '-----BEGIN PRIVATE KEY-----a',
] // prettier-ignore

// oxlint-disable unicorn/require-post-message-target-origin -- a port of a thread has no origin
let read = 0
for (const unit of units) {
  parentPort?.postMessage({ unit })
  // The sign at the begin makes sure that the detectors are asked at all.
  read += redactText(`@1 token ${unit.repeat(bytes / unit.length)}`).text.length > 0 ? 1 : 0
}
parentPort?.postMessage({ unit: 'all', read })
