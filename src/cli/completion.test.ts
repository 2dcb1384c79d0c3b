import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { runLine } from './fakes.ts'

describe('completion', () => {
  it.each([
    [['portcullis', 'ag'], ['agent']],
    [
      ['portcullis', 'agent', ''],
      ['create', 'list', 'disable', '--help'],
    ],
    [['portcullis', 'key', 'create', '--sc'], ['--scopes']],
    [
      ['portcullis', 'key', 'create', '--scopes', 'ident'],
      ['identity:read', 'identity:write'],
    ],
    [['portcullis', 'call', 'HubService/S'], ['HubService/StartRun']],
    [['portcullis', 'completion', 'z'], ['zsh']],
  ])('U1: bash completes %j', async (words, expected) => {
    const { out } = await runLine('completion bash')
    const script = `${out}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _portcullis; printf '%s\\n' "\${COMPREPLY[@]}"`
    const completed = execFileSync('bash', ['-c', script, 'bash', ...words], { encoding: 'utf8' })
    expect(completed.trim().split('\n')).toEqual(expected)
  })

  it('U1: the scripts for zsh and fish name every command and quote what they hold', async () => {
    const zsh = (await runLine('completion zsh')).out
    expect(zsh).toMatch(/^#compdef portcullis\n/)
    expect(zsh).toContain(`'key create') entries=(`)
    expect(zsh).toContain(`'disable:Ends the use of all keys of an agent, everywhere, within a second.'`)
    const fish = (await runLine('completion fish')).out
    expect(fish).toContain(
      `complete -c portcullis -n '__portcullis_at "agent create"' -l owner -r -d 'the person or team that answers for it'`,
    )
    for (const line of [...zsh.split('\n'), ...fish.split('\n')])
      expect((line.match(/'/g) ?? []).length % 2, line).toBe(0)
  })
})
