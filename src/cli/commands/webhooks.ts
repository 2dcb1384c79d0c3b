import { Command } from 'commander'
import { CliError } from '../errors.ts'
import type { Io } from '../io.ts'
import { withExamples } from '../options.ts'
import { loadOf, placeOf, withPlace, type PlaceOptions } from '../place.ts'
import { paint, printable, table } from '../print.ts'
import { withServer } from '../start-errors.ts'

export function webhooksCommand(io: Io): Command {
  return new Command('webhooks')
    .description('The webhooks of a deployment: what they gave up, and whether they are taken.')
    .addCommand(deadLettersCommand(io))
    .addCommand(replayCommand(io))
    .addCommand(testCommand(io))
}

function deadLettersCommand(io: Io): Command {
  const command = withPlace(new Command('dead-letters'))
    .summary('Lists the events that were given up.')
    .description(
      'Lists the events that were tried as often as the settings say and were never taken, the newest first.',
    )
    .option('--webhook <name>', 'only those of this webhook')
    .action(async ({ json, webhook, ...options }: PlaceOptions & { readonly webhook?: string }) => {
      const letters = await withServer(io, loadOf(options), (server) =>
        server.listDeadLetters(placeOf(options, io), webhook),
      )
      if (json) {
        io.out.write(`${JSON.stringify({ deadLetters: letters })}\n`)
        return
      }
      if (letters.length === 0) {
        io.out.write('Nothing was given up.\n')
        return
      }
      const rows = letters.map((one) => [
        one.webhook,
        one.event,
        one.action,
        String(one.attempts),
        one.givenUpAt,
        one.error,
      ])
      const head = ['WEBHOOK', 'EVENT', 'KIND', 'TRIES', 'GIVEN UP', 'WHY']
      io.out.write(table(head, rows, paint(io.out.colours)))
    })
  return withExamples(command, 'portcullis webhooks dead-letters --config /etc/portcullis/portcullis.yaml')
}

function replayCommand(io: Io): Command {
  const command = withPlace(new Command('replay'))
    .summary('Has events that were given up sent again.')
    .description(
      'Puts one event that was given up into line again, or all of a webhook; the server that runs sends them. The ledger says so.',
    )
    .argument('<webhook>', 'the name of the webhook')
    .argument('[event]', 'as dead-letters lists it, such as main/1042')
    .option('--all', 'all that the webhook gave up')
    .action(
      async (
        webhook: string,
        event: string | undefined,
        { json, all, ...options }: PlaceOptions & { all?: boolean },
      ) => {
        if ((event === undefined) === (all !== true)) {
          const todo = 'Name an event as dead-letters lists it, or say --all.'
          throw new CliError('usage', 'cli.usage', 'One event, or all of them?', { todo })
        }
        const again = await withServer(io, loadOf(options), (server) =>
          server.replayDeadLetters(placeOf(options, io), webhook, event),
        )
        const events = again === 1 ? '1 event is' : `${again} events are`
        io.out.write(json ? `${JSON.stringify({ webhook, replayed: again })}\n` : `${events} sent again.\n`)
      },
    )
  return withExamples(command, 'portcullis webhooks replay pager main/1042', 'portcullis webhooks replay pager --all')
}

function testCommand(io: Io): Command {
  const command = withPlace(new Command('test'))
    .summary('Sends a signed test event.')
    .description('Sends one signed event of type portcullis.test, from here and once, and says whether it was taken.')
    .argument('<webhook>', 'the name of the webhook')
    .action(async (webhook: string, { json, ...options }: PlaceOptions) => {
      const { id, problem } = await withServer(io, loadOf(options), (server) =>
        server.testWebhook(placeOf(options, io), webhook),
      )
      if (problem !== undefined) {
        const todo = 'Look at its address and at what answers there; the server tries from its own machine.'
        throw new CliError('unavailable', 'webhook.not_taken', `${webhook} did not take the event: ${problem}.`, {
          todo,
        })
      }
      io.out.write(json ? `${JSON.stringify({ webhook, id, taken: true })}\n` : `${printable(webhook)} took ${id}.\n`)
    })
  return withExamples(command, 'portcullis webhooks test pager --config /etc/portcullis/portcullis.yaml')
}
