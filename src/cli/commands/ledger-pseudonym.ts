import { Command } from 'commander'
import * as z from 'zod'
import { readFirstLine } from '../bounded-read.ts'
import { Client } from '../client.ts'
import { usage } from '../errors.ts'
import type { Io } from '../io.ts'
import { withClient, withExamples, type ClientOptions } from '../options.ts'
import { printable } from '../print.ts'
import { integerBetween } from '../values.ts'

interface PseudonymOptions extends ClientOptions {
  readonly destroyKey?: number
  readonly tenant?: string
}

const stdinBytesMax = 4096
const pseudonymsShape = z.object({
  pseudonyms: z.array(z.object({ version: z.number(), pseudonym: z.string() })).default([]),
})
const destroyedShape = z.object({ destroyedAt: z.string() })

export function pseudonymCommand(io: Io): Command {
  const command = withClient(new Command('pseudonym'))
    .description(
      'Prints what stands for an e-mail address or a phone number in the entries of your tenant: one pseudonym for each version of its key that is kept. The record of the call holds the pseudonym and not the value.',
    )
    .argument(
      '[value]',
      'the value; - reads it from stdin, so that neither other users nor the history of the shell see it',
    )
    .option(
      '--destroy-key <version>',
      'destroy that version of the key instead: no value can be matched with its pseudonyms any more, and the chain stays valid. Needs tenants:write, and asks for a confirmation on stdin',
      integerBetween(1, 1_000_000),
    )
    .option('--tenant <id>', 'ten_…, whose key to destroy (default: your tenant)')
    .action(async (value: string | undefined, options: PseudonymOptions) => {
      if (options.destroyKey !== undefined) return destroy(value, options.destroyKey, options, io)
      if (options.tenant !== undefined)
        throw usage('--tenant goes with --destroy-key.', 'Leave it out: the tenant is that of your key.')
      return print(await valueOf(value, io), options, io)
    })
  return withExamples(
    command,
    'portcullis ledger pseudonym - < address.txt',
    'portcullis ledger pseudonym jane.doe@example.com --json',
    'portcullis ledger pseudonym --destroy-key 1',
  )
}

async function print(value: string, options: PseudonymOptions, io: Io): Promise<void> {
  const { pseudonyms } = await new Client(options, io).call('LedgerService/GetPseudonyms', { value }, pseudonymsShape)
  if (options.json) io.out.write(`${JSON.stringify({ pseudonyms })}\n`)
  else for (const { pseudonym } of pseudonyms) io.out.write(`${printable(pseudonym)}\n`)
  if (pseudonyms.length === 0)
    io.err.write(
      'Your tenant has no key yet: it gets one with the first personal value in its entries, where master keys are configured.\n',
    )
}

async function valueOf(given: string | undefined, io: Io): Promise<string> {
  if (given === undefined) throw usage('There is no value.', 'Write it, or - to read it from stdin.')
  const value = (given === '-' ? await readStdin(io) : given).trim()
  if (value === '') throw usage('The value is empty.', 'Write an e-mail address or a phone number.')
  return value
}

async function destroy(value: string | undefined, version: number, options: PseudonymOptions, io: Io): Promise<void> {
  if (value !== undefined) throw usage('--destroy-key takes no value.', 'Leave the value out.')
  const { tenant } = options
  const words = `destroy key ${version}`
  io.err.write(
    `This destroys version ${version} of the pseudonym key of ${tenant === undefined ? 'your tenant' : printable(tenant)}, on every replica and for good.\nNothing can tell any more whose pseudonyms of this version they were. Backups keep the key as long as they are kept.\nType "${words}" to go on: `,
  )
  if ((await readStdin(io)).trim() !== words) throw usage('Nothing was destroyed.', `Type exactly: ${words}`)
  const message = { version, ...(tenant === undefined ? {} : { tenantId: tenant }) }
  const done = await new Client(options, io).call('LedgerService/DestroyPseudonymKey', message, destroyedShape)
  if (options.json) io.out.write(`${JSON.stringify({ version, ...done })}\n`)
  else io.out.write(`Version ${version} of the key is destroyed.\n`)
}

/** The first line. */
async function readStdin(io: Io): Promise<string> {
  const line = await readFirstLine(io.stdin, stdinBytesMax)
  if (line === undefined) throw usage('That is too long for one value.', `At most ${stdinBytesMax} bytes.`)
  return line
}
