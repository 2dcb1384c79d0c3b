import { Argument, Command } from 'commander'
import { methodNames } from '#core'
import { completionScript, shells, type Shell } from '../completion.ts'
import type { Io } from '../io.ts'
import { shortName } from '../method-names.ts'
import { withExamples } from '../options.ts'

export function completionCommand(io: Io, program: () => Command): Command {
  const command = new Command('completion')
    .description('Prints a script that completes commands, options, scopes and methods in a shell.')
    .addArgument(new Argument('<shell>', 'the shell').choices(shells))
    .action(async (shell: Shell) => {
      const methods = (await methodNames()).map(shortName)
      io.out.write(completionScript(shell, program(), methods))
    })
  return withExamples(
    command,
    'source <(portcullis completion bash)',
    'portcullis completion zsh > "${fpath[1]}/_portcullis"',
    'portcullis completion fish > ~/.config/fish/completions/portcullis.fish',
  )
}
