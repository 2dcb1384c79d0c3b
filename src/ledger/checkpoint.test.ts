import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { openCheckpoint, parseCheckpoint, signCheckpoint } from './checkpoint.ts'
import { publicKeyOf, signerOf, signNote, verifierOf } from './note.ts'
import { emptyRoot } from './tree.ts'

const key = generateKeyPairSync('ed25519').privateKey
const origin = 'ledger.example/main'
const signer = signerOf(origin, key)
const verifiers = [verifierOf(origin, publicKeyOf(key))]
const root = 'ab'.repeat(32)
const base64 = Buffer.from(root, 'hex').toString('base64')

describe('checkpoints', () => {
  it('T3: reads the text of the C2SP example', () => {
    const text = 'example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n'
    expect(parseCheckpoint(text)).toEqual({
      ok: true,
      checkpoint: {
        origin: 'example.com/behind-the-sofa',
        size: 20852163,
        root: '0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62',
      },
    })
  })

  it('L8: what is signed is opened again, under the name of its log alone', () => {
    const note = signCheckpoint({ origin, size: 7, root }, [signer])
    expect(note.startsWith(`${origin}\n7\n${base64}\n\n\u2014 ${origin} `)).toBe(true)
    expect(openCheckpoint(note, origin, verifiers)).toEqual({
      ok: true,
      checkpoint: { origin, size: 7, root },
      signedBy: [origin],
    })
    expect(openCheckpoint(note, 'ledger.example/other', verifiers)).toMatchObject({ ok: false, why: /not of/ })
  })

  it('L8: while a key is rotated a note carries both signatures, and either key opens it', () => {
    const next = generateKeyPairSync('ed25519').privateKey
    const note = signCheckpoint({ origin, size: 7, root }, [signer, signerOf(origin, next)])
    for (const half of [key, next]) {
      expect(openCheckpoint(note, origin, [verifierOf(origin, publicKeyOf(half))])).toMatchObject({ ok: true })
    }
  })

  it('T3: an empty log has the root of an empty tree; extension lines are passed over', () => {
    expect(parseCheckpoint(`o\n0\n${emptyRoot.toString('base64')}\n`).ok).toBe(true)
    expect(parseCheckpoint(`o\n0\n${base64}\n`).ok).toBe(false)
    expect(parseCheckpoint(`o\n1\n${base64}\nmore\n`).ok).toBe(true)
  })

  it.each([
    ['no origin', `\n1\n${base64}\n`],
    ['no root', `${origin}\n1\n`],
    ['a size with a leading zero', `${origin}\n01\n${base64}\n`],
    ['a size with a sign', `${origin}\n+1\n${base64}\n`],
    ['a size beyond 2^53', `${origin}\n9007199254740992\n${base64}\n`],
    ['a size in hex', `${origin}\n0x1\n${base64}\n`],
    ['a root of 31 bytes', `${origin}\n1\n${Buffer.alloc(31).toString('base64')}\n`],
    ['a root without padding', `${origin}\n1\n${base64.replace('=', '')}\n`],
    ['an empty extension line', `${origin}\n1\n${base64}\n\nmore\n`],
    ['a last line without an end', `${origin}\n1\n${base64}`],
  ])('T3: refuses a checkpoint with %s', (_what, text) => {
    expect(parseCheckpoint(text)).toEqual({ ok: false, why: expect.any(String) })
    if (text.endsWith('\n')) expect(openCheckpoint(signNote(text, [signer]), origin, verifiers).ok).toBe(false)
  })
})
