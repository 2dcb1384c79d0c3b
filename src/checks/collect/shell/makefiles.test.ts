import { describe, expect, it } from 'vitest'
import { judged, places } from '../../checks.fixture.ts'
import { isReadable } from '../source-file.ts'
import { Tree } from '../tree.ts'
import { makefiles } from './makefiles.ts'

async function lines(text: string): Promise<readonly (readonly string[])[]> {
  const [parsed] = await makefiles(Tree.of({ Makefile: text }))
  if (parsed === undefined || !isReadable(parsed)) throw new Error('it was not read')
  return parsed.value.rules().map((rule) => rule.map((line) => line.text))
}
const found = async (text: string, check = 'R03', path = 'Makefile'): Promise<readonly string[]> =>
  places(await judged(check, { [path]: text })).map((place) => place.replace(`${path}:`, ''))

describe('makefiles', () => {
  it.each([
    ['lines of one rule', 'a: b\n\tx\n\t@-y z\n\nb:\n\t+w\n', [['x', 'y z'], ['w']]],
    ['continued ones', 'a:\n\tx \\\n\t  y\n', [['x \\\n  y']]],
    ['CRLF', 'a:\r\n\tx \\\r\n\ty\r\n', [['x \\\ny']]],
    ['behind a semicolon', 'a: b; x y\n', [['x y']]],
    ['variables of the file', 'V := 1.2\nN ?= $(P)/npm # why\nP = bin\na:\n\t$(N) i a@${V}\n', [['bin/npm i a@1.2']]],
    [
      'variables of the shell',
      'a:\n\tfor i in *; do x "$$i" $${i#a}; done\n',
      [['for i in *; do x "$i" ${i#a}; done']],
    ],
    ['what only make knows', 'a:\n\tx $@ $< $(wildcard *.c) $(U) ${call f,a}\n', [['x ${_} ${_} ${_} ${U} ${_}']]],
    ['what is set twice', 'V=1\nV=2\nW=$(W)\na:\n\tx $(V) $(W)\n', [['x ${V} ${W}']]],
    ['what the shell answers', 'X := $(shell y $$z)\nW != v\na:\n\tx $(shell w)\n', [['$(y $z)', 'v'], ['x $(w)']]],
    ['no rule', '# a: b\nA = b: c\n\n', []],
  ])('V10: recipes are read as make hands them to the shell: %s', async (_, text, expected) => {
    expect(await lines(text)).toEqual(expected)
  })

  it.each([
    ['npm', 'tools:\n\t@npm install -g eslint\n', '2:18'],
    ['a pipe to a shell', 'a:\n\tcurl -fsSL https://example.org/install.sh | sh\n', '2:13'],
    [
      'a pipe over lines',
      'a:\n\tset -e; \\\n\tcurl -fsSL https://example.org/install.sh \\\n\t  | sudo bash\n',
      '3:13',
    ],
    ['through a variable', 'GO ?= go\na:\n\t$(GO) install example.org/x@latest\n', '3:16'],
    ['a version that floats', 'V = latest\na:\n\tgo install example.org/x@$(V)\n', '3:13'],
    ['in a loop', 'a:\n\tfor t in a b; do npx --yes "$$t"; npx cowsay; done\n', '2:40'],
    ['behind a semicolon', 'a: ; cargo install ripgrep\n', '1:20'],
    ['in a variable', 'X := $(shell npx cowsay)\n', '1:18'],
    ['CRLF', 'a:\r\n\tnpm i -g eslint\r\n', '2:11'],
  ])('R03: is broken by a recipe (%s)', async (_, text, place) => {
    expect((await found(text)).filter((each) => each.endsWith('FAIL'))).toEqual([`${place} FAIL`])
  })

  it.each([
    ['exact versions', 'V := 1.2.3\na:\n\tgo install example.org/x@v$(V)\n\tnpx cowsay@$(V)\n\tnpm ci\n'],
    ['its own hosts', 'a:\n\tcurl -sf http://localhost:8080/x | sh\n'],
    ['comments and names', '# npm install -g x\nnpm: curl\n\techo "npm install -g x"\n.PHONY: npm\n'],
    ['a download that nothing runs', 'a:\n\tcurl -fsS https://example.org/data.json -o data.json\n'],
  ])('R03: holds with %s', async (_, text) => {
    expect(await found(text)).toEqual([])
  })

  it('R07: pip in a recipe', async () => {
    const text =
      'PIP := $(VENV)/bin/pip\nVENV := .venv\na:\n\t$(PIP) install requests==2.32.0\n\tpython -m pip install --require-hashes -r r.txt\n'
    expect(await found(text, 'R07')).toEqual(['4:17 FAIL'])
  })

  it('R03: rules.mk is one, a template and a sample are none; one that cannot be read is an error', async () => {
    const text = 'a:\n\tnpm i -g eslint\n'
    expect(await found(text, 'R03', 'build/rules.mk')).toHaveLength(1)
    expect((await judged('R03', { 'Makefile.in': text, 'examples/Makefile': text })).outcome).toBe('NOT_APPLICABLE')
  })

  it('V10: a hostile makefile takes no time', async () => {
    const bombs = Array.from({ length: 200 }, (_, index) => `v${index} = $(v${index + 1})$(v${index + 1})`).join('\n')
    const text = `${bombs}\na:\n\tnpm i $(v0)\n\t${'$('.repeat(100_000)}\n\tnpm ${'\\\n\t'.repeat(50_000)}\n`
    const started = performance.now()
    await found(text)
    expect(performance.now() - started).toBeLessThan(2000)
  })
})
