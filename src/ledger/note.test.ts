import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseCheckpoint } from './checkpoint.ts'
import { formatTilePath, parseTilePath } from './tiles.ts'
import { openNote, parseVkey, publicKeyOf, signerOf, signNote, verifierOf, vkeyOf } from './note.ts'

// The published vectors of golang.org/x/mod/sumdb/note, which the C2SP text was written from.
const peterVkey = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'
const peterSeed = Buffer.from('AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz', 'base64').subarray(1)
const peterText =
  "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
const peterLine =
  '\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n'
const peterNote = `${peterText}\n${peterLine}`
const pkcs8Head = Buffer.from('302e020100300506032b657004220420', 'hex')
const peterKey = createPrivateKey({ key: Buffer.concat([pkcs8Head, peterSeed]), format: 'der', type: 'pkcs8' })
const signer = signerOf('PeterNeumann', peterKey)
const verifier = verifierOf('PeterNeumann', publicKeyOf(peterKey))

function keyOf(vkey: string) {
  const parsed = parseVkey(vkey)
  if (!parsed.ok) throw new Error(parsed.why)
  return parsed.key
}

describe('signed notes', () => {
  it('T3: signs the published note byte for byte, and knows its key by the published line', () => {
    expect(signNote(peterText, [signer])).toBe(peterNote)
    expect(signer.vkey).toBe(peterVkey)
    expect(vkeyOf('PeterNeumann', keyOf(peterVkey).publicKey)).toBe(peterVkey)
  })

  it('T3: opens the published note, as text and as bytes', () => {
    const opened = { ok: true, text: peterText, signedBy: ['PeterNeumann'] }
    expect(openNote(peterNote, [verifier])).toEqual(opened)
    expect(openNote(Buffer.from(peterNote), [verifierOf('PeterNeumann', keyOf(peterVkey).publicKey)])).toEqual(opened)
  })

  it('T3: refuses every cut and every shifted character of the published key', () => {
    for (let from = 0; from < peterVkey.length; from += 1) {
      for (let to = from; to <= peterVkey.length; to += 1) {
        if (to - from < peterVkey.length) expect(parseVkey(peterVkey.slice(from, to)).ok).toBe(false)
      }
      const next = String.fromCharCode(peterVkey.charCodeAt(from) + 1)
      expect(parseVkey(peterVkey.slice(0, from) + next + peterVkey.slice(from + 1)).ok).toBe(false)
    }
  })

  it.each([
    ['PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==', 'the key is not base64'],
    ['PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW', 'a key of type 101'],
    ['PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz', 'this is a private key'],
    ['rekor.sigstore.dev+c0d23d6a+AjBZMBMGByqGSM49', 'an ECDSA key'],
    ['witness+c0d23d6a+BDBZMBMGByqGSM49', 'a key of a witness'],
    ['a b+c0d23d6a+ATBZMBMGByqGSM49', 'holds a space'],
    ['PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW', 'not those of this name and key'],
  ])('T3: a key of the wrong kind is refused with what it is: %s', (vkey, why) => {
    expect(parseVkey(vkey)).toEqual({ ok: false, why: expect.stringContaining(why) })
  })

  it.each([
    ['ec', () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, 'a key of the kind ec'],
    ['rsa', () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey, 'a key of the kind rsa'],
    ['ed448', () => generateKeyPairSync('ed448').privateKey, 'a key of the kind ed448'],
  ])('L8: a signing key of the kind %s is refused with what it is', (_kind, make, why) => {
    expect(() => signerOf('log', make())).toThrow(why)
  })

  // As the malformed messages of the reference implementation.
  it.each([
    ['no blank line', `${peterText}${peterLine}`],
    ['no signature', `${peterText}\n`],
    ['no end of the last line', peterNote.slice(0, -1)],
    ['a hyphen for the dash', peterNote.replace('\u2014', '-')],
    ['no space behind the dash', peterNote.replace('\u2014 ', '\u2014')],
    ['no name', peterNote.replace('PeterNeumann ', ' ')],
    ['a plus in the name', peterNote.replace('PeterNeumann ', 'Peter+Neumann ')],
    ['two spaces', peterNote.replace('Neumann ', 'Neumann  ')],
    ['no signature behind the name', `${peterText}\n\u2014 PeterNeumann\n`],
    ['a signature of four bytes', `${peterText}\n\u2014 PeterNeumann x08gow==\n`],
    ['base64 with a newline', peterNote.replace('x08go', 'x08g\no')],
    ['base64 without padding', peterNote.replace('JnAM=', 'JnAM')],
    ['base64 of another alphabet', peterNote.replaceAll('/', '_')],
    ['a carriage return', peterNote.replace('\n', '\r\n')],
    ['a tab', peterNote.replace('you think', 'you\tthink')],
    ['a NUL', peterNote.replace('you think', 'you\0think')],
    ['a lone surrogate', peterNote.replace('you think', 'you\uD800think')],
    ['text behind the signatures', `${peterNote}more\n`],
    ['another text', peterNote.replace('answer', 'question')],
    ['101 signatures', peterText + '\n' + peterLine.repeat(101)],
  ])('T3: refuses a note with %s', (_what, note) => {
    expect(openNote(note, [verifier])).toEqual({ ok: false, why: expect.any(String) })
  })

  it('T3: bytes that are not UTF-8 are no note', () => {
    const bytes = Buffer.from(peterNote)
    bytes[3] = 0xff
    expect(openNote(bytes, [verifier])).toMatchObject({ ok: false, why: expect.stringContaining('UTF-8') })
  })

  it('T3: passes over unknown keys, even of the same name, and refuses where no other signed', () => {
    const other = signerOf('PeterNeumann', generateKeyPairSync('ed25519').privateKey)
    const both = signNote(peterText, [other, signer])
    expect(openNote(both, [verifier])).toMatchObject({ ok: true, signedBy: ['PeterNeumann'] })
    expect(openNote(signNote(peterText, [other]), [verifier])).toMatchObject({ ok: false, why: /no known key/ })
    expect(openNote(both, [])).toMatchObject({ ok: false })
  })

  it('T3: a wrong signature of a known key spoils the note, whoever else signed it', () => {
    const fresh = generateKeyPairSync('ed25519').privateKey
    const good = signNote(peterText, [signerOf('other', fresh)]).split('\n\n')[1] ?? ''
    const wrong = peterLine.replace('ZJkuBS', 'ZJkuBT')
    const known = [verifier, verifierOf('other', publicKeyOf(fresh))]
    expect(openNote(`${peterText}\n${good}${wrong}`, known)).toMatchObject({ ok: false, why: /known key PeterNeumann/ })
    expect(openNote(`${peterText}\n${good}`, known)).toMatchObject({ ok: true })
  })

  it('T3: the text is cut at the last blank line, so that it may hold blank lines', () => {
    const text = `a\n\nb\n\n\u2014 c\n`
    expect(openNote(signNote(text, [signer]), [verifier])).toMatchObject({ ok: true, text })
  })

  it('T2: whatever is flipped, cut or put in, a note is as it was signed or refused', () => {
    const bytes = Buffer.from(peterNote)
    const at = fc.nat(bytes.length - 1)
    fc.assert(
      fc.property(at, fc.integer({ min: 1, max: 255 }), fc.nat(2), (place, value, how) => {
        const changed =
          how === 0
            ? Buffer.from(bytes.map((byte, index) => (index === place ? byte ^ value : byte)))
            : how === 1
              ? Buffer.concat([bytes.subarray(0, place), bytes.subarray(place + 1)])
              : Buffer.concat([bytes.subarray(0, place), Buffer.from([value]), bytes.subarray(place)])
        const opened = openNote(changed, [verifier])
        expect(opened.ok ? opened.text : undefined).toBe(changed.equals(bytes) ? peterText : undefined)
      }),
      { numRuns: 2000 },
    )
  })

  it('T4: whatever comes in, reading ends in a value and never in a fault', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc
        .array(fc.constantFrom('\n', '\n\n', '\u2014 ', 'a', ' ', '+', 'x08go/ZJ', '0', '=', '\uD800', '\0'))
        .map((all) => all.join('')),
    )
    fc.assert(
      fc.property(text, (some) => {
        for (const note of [some, Buffer.from(some), peterText + some]) {
          expect(openNote(note, [verifier]).ok).toBe(false)
        }
        expect(parseVkey(some).ok).toBe(false)
        expect([true, false]).toContain(parseCheckpoint(some).ok)
        const tile = parseTilePath(some)
        expect(tile === undefined || formatTilePath(tile) === some).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })

  it('L8: refuses to sign what no reader would take', () => {
    for (const text of ['no newline', 'tab\t\n', '\uD800\n']) expect(() => signNote(text, [signer])).toThrow('signed')
    expect(() => signerOf('a b', peterKey)).toThrow('cannot name a key')
  })
})
