import { paint } from './print.ts'
import type { Running } from './server-room.ts'

const httpDefault = 'http://127.0.0.1:8080'

/** What `up` and `serve` say when they are ready. */
export function welcome({ ready, notes }: Running, verb: 'up' | 'serve', colours: boolean): string {
  const { bold, dim, green } = paint(colours)
  const http = withScheme(ready.http)
  const rows = [
    ['gRPC', ready.grpc],
    ['HTTP', http],
    ['management', withScheme(ready.management)],
    ...(ready.public === null ? [] : [['public', withScheme(ready.public)]]),
    ...(ready.agentsGrpc ? [['agents gRPC', ready.agentsGrpc]] : []),
    ...(ready.agentsHttp ? [['agents HTTP', `https://${ready.agentsHttp}`]] : []),
  ] as const
  const addresses = rows.map(([name = '', address = '']) => `  ${dim(name.padEnd(12))}${address}`)
  const blocks = [
    [green(bold('portcullis is ready'))],
    notes,
    [...keyLines(ready.adminKey, verb, bold), ...(http === httpDefault ? [] : [`export PORTCULLIS_URL=${http}`])],
    ready.consoleUrl === null ? [] : [`Sign in to the console, once: ${ready.consoleUrl}`],
    addresses,
    verb === 'up' ? [bold('Try'), ...commandsToTry(http)] : [],
    [dim('Ctrl-C drains and stops.')],
  ]
  const filled = blocks.filter((lines) => lines.length > 0)
  return `${filled.map((lines) => lines.join('\n')).join('\n\n')}\n`
}

function keyLines(adminKey: string | null, verb: 'up' | 'serve', bold: (text: string) => string): readonly string[] {
  if (adminKey !== null) return [bold('Your admin key, shown this once:'), `export PORTCULLIS_KEY=${adminKey}`]
  if (verb === 'serve') return []
  return ['The admin key was shown at the first start; `portcullis admin recover` makes another.']
}

function commandsToTry(http: string): readonly string[] {
  return [
    `  curl -s ${http}/portcullis.v1.HubService/GetHealth -H 'content-type: application/json' -d '{}'`,
    '  npx portcullis agent create researcher',
    '  npx portcullis ledger tail',
  ]
}

function withScheme(address: string): string {
  return address.includes('://') ? address : `http://${address}`
}
