import { describe, expect, it } from 'vitest'
import { readShell } from './script.ts'

const commands = (text: string): readonly string[] =>
  readShell(text).commands.map(({ words }) => words.map((word) => word.text).join(' '))

describe('scripts', () => {
  it.each([
    ['a && b || c', ['a', 'b', 'c']],
    ['f() { git push; }; f', ['git push', 'f']],
    ['echo "$(date -u)" | tee x', ['echo $(date -u)', 'date -u', 'tee x']],
    ['A=b cmd --x "y z"', ['cmd --x y z']],
    ['{ a; } <<< "$(b)"', ['a', 'b']],
    ['for i in 1 2; do a $i; done', ['a $i']],
    ['cat <<EOF\ngit push\nEOF', ['cat']],
    ["echo 'git push' # git push", ['echo git push']],
    ['a \\\n  b', ['a b']],
  ])('V10: the commands of `%s` are %j', (text, expected) => {
    expect(commands(text)).toEqual(expected)
  })

  it('V10: a here-document is no word of its command', () => {
    const [command] = readShell('psql <<SQL\ndrop table $NAME;\nSQL').commands
    expect(command?.words).toHaveLength(1)
    expect(command?.hereDocuments.map(({ text, variables }) => [text, variables])).toEqual([
      ['drop table $NAME;\n', ['NAME']],
    ])
  })

  it('V10: an expression is no expansion of the shell, and a program that is one has no name', () => {
    const [first, second] = readShell('${{ inputs.tool }} push\necho ${{ github.sha }}').commands
    expect(first).toMatchObject({ name: '', words: [{ text: '${{ inputs.tool }}' }, { text: 'push' }] })
    expect(second).toMatchObject({
      name: 'echo',
      words: [{ text: 'echo' }, { text: '${{ github.sha }}', variables: [] }],
    })
  })

  it.each([
    ['echo a', 'log'],
    ['echo a > x', 'file'],
    ['echo a >&2', 'log'],
    ['{ echo a; } >> x', 'file'],
    ['x=$(echo a)', 'captured'],
    ['echo a | cat', 'pipe'],
  ])('R10: the output of `%s` goes to: %s', (text, output) => {
    expect(readShell(text).commands.find(({ name }) => name === 'echo')?.output).toBe(output)
  })

  it('V10: what is nested too deeply has no commands and says so', () => {
    const { commands: found, errors } = readShell('$('.repeat(5000))
    expect(found).toEqual([])
    expect(errors).toHaveLength(1)
  })
})
