import { describe, expect, it } from 'vitest'
import { innerScript, wrapperWords } from './wrappers.ts'

describe('programs that run another one', () => {
  it.each([
    ['git push', 'git push'],
    ['sudo -E -u me git push', 'git push'],
    ['/usr/bin/env -u HOME A=b C=d git push', 'git push'],
    ['timeout -k 5 60 git push', 'git push'],
    ['python3.12 -X dev -m pip install x', 'pip install x'],
    ['nice -n 5 git push', 'git push'],
    ['command -v git', 'command -v git'],
    ['python script.py -m x', 'python script.py -m x'],
    ['xargs -n 1 rm', 'rm'],
    ['constructor x', 'constructor x'],
    ['sudo', ''],
  ])('V10: of `%s` it is `%s` that counts', (text, inside) => {
    const words = text.split(' ')
    expect(words.slice(wrapperWords(words)).join(' ')).toBe(inside)
  })

  it.each([
    [['bash', '-ec', 'git push'], 'git push'],
    [['/bin/sh', '-c', 'true', 'name'], 'true'],
    [['bash', 'script.sh'], undefined],
    [['node', '-c', 'x'], undefined],
  ])('V10: the script of %j is %j', (words, script) => {
    expect(innerScript(words)).toBe(script)
  })
})
