import { describe, expect, it } from 'vitest'
import { passwordProblem } from './password-rules.ts'
import { argonCost, Passwords, PasswordsBusy } from './passwords.ts'

describe('passwords', () => {
  it('A9: are stored as argon2id with 64 MiB and three passes, each with a salt of its own', async () => {
    const passwords = new Passwords()
    const [one, two] = await Promise.all([passwords.hash('a fine long one'), passwords.hash('a fine long one')])
    expect(argonCost).toEqual({ memoryKiB: 65_536, passes: 3, parallelism: 1 })
    expect(one).toMatch(/^\$argon2id\$v=19\$m=65536,t=3,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
    expect(one).not.toBe(two)
    expect(await passwords.verify('a fine long one', one)).toBe(true)
    expect(await passwords.verify('a fine long One', one)).toBe(false)
  })

  it('A9: the same password in another normal form is the same', async () => {
    const passwords = new Passwords()
    const hash = await passwords.hash('Ångström and more')
    expect(await passwords.verify('Ångström and more', hash)).toBe(true)
  })

  it('A9: where there is none, nothing is right', async () => {
    expect(await new Passwords().verify('whatever it may be', undefined)).toBe(false)
  })

  it('A9: a hash that was not written here is a fault and never a match', async () => {
    for (const phc of [
      '',
      'x',
      '$argon2i$v=19$m=65536,t=3,p=1$AAAA$AAAA',
      '$argon2id$v=19$m=99999999,t=3,p=1$AAAA$AAAA',
    ])
      await expect(new Passwords().verify('whatever it may be', phc)).rejects.toThrow('not the form')
  })

  it('A9: more than can wait are turned away, and the others are answered', async () => {
    const passwords = new Passwords({ memoryKiB: 1024, passes: 1, parallelism: 1 })
    const asked = await Promise.allSettled(Array.from({ length: 20 }, () => passwords.hash('a fine long one')))
    const refused = asked.filter(({ status }) => status === 'rejected')
    expect(refused).toHaveLength(2)
    for (const one of refused) expect(one).toMatchObject({ reason: expect.any(PasswordsBusy) })
    expect(await passwords.hash('another long one')).toMatch(/^\$argon2id/)
  })
})

describe('the password that somebody chooses', () => {
  it.each([
    ['short one', 'at least 12'],
    ['x'.repeat(129), 'at most 128'],
    ['Password1234', 'harder to guess'],
    ['correct-horse', 'harder to guess'],
    ['aaaaaaaaaaaaaaaa', 'harder to guess'],
    ['abcabcabcabcabc', 'harder to guess'],
    ['12345678901234', 'harder to guess'],
    ['QWERTYUIOPASDFG', 'harder to guess'],
    ['zyxwvutsrqponml', 'harder to guess'],
    ['margaret.smith', 'your name'],
    ['Margaret-Smith2026!', 'your name'],
    ['a\0fine-long-one', 'cannot be kept'],
  ])('A9: `%s` is refused: %s', (password, why) => {
    expect(passwordProblem(password, ['margaret.smith', 'main'])).toContain(why)
  })

  it.each([
    'twelve chars',
    'no composition rules',
    '🦔🦔 hedgehogs at dusk',
    'margaret smiths tall garden',
    'x'.repeat(60) + 'tangerine boat',
  ])('A9: `%s` is taken', (password) => expect(passwordProblem(password, ['margaret.smith', 'main'])).toBeUndefined())
})
