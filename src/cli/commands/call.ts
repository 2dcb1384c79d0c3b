import { Command } from 'commander'
import { methodNames } from '#core'
import { readBounded, readBoundedFile } from '../bounded-read.ts'
import { Client } from '../client.ts'
import { CliError, usage } from '../errors.ts'
import type { Io } from '../io.ts'
import { resolveMethod, suggestMethod } from '../method-names.ts'
import { withClient, withExamples, type ClientOptions } from '../options.ts'
import type { TlsOptions } from '../client-tls.ts'

const messageBytesMax = 4 * 1024 * 1024
const messageHelp = `Write one JSON object, such as '{"workflow":"nightly"}', @FILE, or - for standard input.`

export function callCommand(io: Io): Command {
  const command = withClient(new Command('call'))
    .description('Calls any method by name and prints the reply.')
    .argument('<method>', 'StartRun, HubService/StartRun or portcullis.v1.HubService/StartRun')
    .argument('[message]', 'the request as JSON, @FILE, or - for standard input', '{}')
    .option(
      '--client-cert <file>',
      'a client certificate, for the listener for agents (default: PORTCULLIS_CLIENT_CERT)',
    )
    .option('--client-key <file>', 'its private key (default: PORTCULLIS_CLIENT_KEY)')
    .option('--ca <file>', 'the authorities that sign servers (default: PORTCULLIS_CA, or those of Node)')
    .action(async (method: string, given: string, options: ClientOptions & TlsOptions) => {
      const text = await readMessage(given, io)
      const path = await resolveMethod(method, methodNames)
      const client = new Client(options, io)
      const { body } = await client.callText(path, text.json, !text.keyed).catch(async (error: unknown) => {
        throw await withSuggestion(error, path)
      })
      io.out.write(`${JSON.stringify(body, undefined, options.json ? undefined : 2)}\n`)
    })
  return withExamples(
    command,
    'portcullis call GetHealth',
    `portcullis call HubService/StartRun '{"workflow":"nightly"}'`,
    'portcullis call RecordPromptAttempt @attempt.json',
  )
}

/** The text as it came: numbers of 64 bits would not survive a round trip through JavaScript. */
async function readMessage(given: string, io: Io): Promise<{ readonly json: string; readonly keyed: boolean }> {
  const json = await readText(given, io)
  let message: unknown
  try {
    message = JSON.parse(json)
  } catch (cause) {
    throw usage(`The message is not JSON: ${cause instanceof Error ? cause.message : String(cause)}.`, messageHelp)
  }
  if (typeof message !== 'object' || message === null || Array.isArray(message)) {
    throw usage('The message is not a JSON object.', messageHelp)
  }
  return { json, keyed: 'idempotencyKey' in message || 'idempotency_key' in message }
}

async function readText(given: string, io: Io): Promise<string> {
  if (given.startsWith('@')) return readBoundedFile(given.slice(1), messageBytesMax)
  if (given !== '-') return given
  const text = await readBounded(io.stdin, messageBytesMax)
  if (text === undefined)
    throw usage(`Standard input has more than ${messageBytesMax} bytes.`, 'Send a smaller message.')
  return text
}

async function withSuggestion(error: unknown, path: string): Promise<unknown> {
  if (!(error instanceof CliError) || error.code !== 'method.unknown') return error
  const todo = await suggestMethod(path, await methodNames())
  return new CliError(error.exit, error.code, error.message, { ...error.details, todo, cause: error })
}
