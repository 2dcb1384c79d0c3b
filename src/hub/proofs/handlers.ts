import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  GetCheckpointResponseSchema,
  GetConsistencyProofResponseSchema,
  GetEntryBundleResponseSchema,
  GetInclusionProofResponseSchema,
  GetTileResponseSchema,
  LedgerService,
  type GetCheckpointResponse,
  type GetTileRequest,
  type GetTileResponse,
} from '@portcullis/contract'
import { isRefusal, refuse, type Refusal } from '#core'
import { encodeBundle, formatProof, tileLevelsMax, TiledTree, tileWidth, widthIn } from '#ledger'
import { logOf } from '../entries/verify.ts'
import { Fields } from '../fields.ts'
import { read, type HandlerContext } from '../handler.ts'
import type { ReaderPort, ReadScope } from '../ports.ts'

const noLog = 'the log is not there for this caller'
const sizeMax = 2n ** 53n - 1n
const indexMax = 2n ** 45n

const getCheckpoint = read(
  LedgerService.method.getCheckpoint,
  async (message, { caller, reader }) => {
    const named = logOf(message.log, caller)
    return isRefusal(named) ? named : checkpointOf(named, reader)
  },
  ({ log }) => ({ log }),
)

const getInclusionProof = read(
  LedgerService.method.getInclusionProof,
  async (message, context) => {
    const named = logOf(message.log, context.caller)
    const signed = isRefusal(named) ? named : await signedTree(named, context.reader)
    if (isRefusal(signed)) return signed
    const fields = new Fields()
    const size = Number(fields.count('treeSize', message.treeSize, sizeMax)) || signed.size
    const seq = Number(fields.count('seq', message.seq, sizeMax))
    if (fields.refusal !== undefined) return fields.refusal
    if (size > signed.size) return beyond('treeSize', signed.size)
    if (seq >= size) return invalid('seq', `must be below ${size}, the size of the tree`)
    const { log, scope } = signed
    const tree = treeOf(size, signed, context)
    const proof = await tree.inclusion(seq)
    const note = await context.reader.tlog.noteAt(scope, log, size)
    return create(GetInclusionProofResponseSchema, {
      log,
      seq: BigInt(seq),
      treeSize: BigInt(size),
      leafHash: hex(await tree.leaf(seq)),
      proof: proof.map(hex),
      root: hex(await tree.root()),
      tlogProof: note === undefined ? '' : formatProof({ index: seq, proof, note }),
    })
  },
  ({ log, seq, treeSize }) => ({ log, seq: seq.toString(), treeSize: treeSize.toString() }),
)

const getConsistencyProof = read(
  LedgerService.method.getConsistencyProof,
  async (message, context) => {
    const named = logOf(message.log, context.caller)
    const signed = isRefusal(named) ? named : await signedTree(named, context.reader)
    if (isRefusal(signed)) return signed
    const fields = new Fields()
    const to = Number(fields.count('to', message.to, sizeMax)) || signed.size
    const from = Number(fields.count('from', message.from, sizeMax))
    if (fields.refusal !== undefined) return fields.refusal
    if (to > signed.size) return beyond('to', signed.size)
    if (from < 1 || from > to) return invalid('from', `must be from 1 to ${to}`)
    const tree = treeOf(to, signed, context)
    return create(GetConsistencyProofResponseSchema, {
      log: signed.log,
      from: BigInt(from),
      to: BigInt(to),
      fromRoot: hex(await treeOf(from, signed, context).root()),
      toRoot: hex(await tree.root()),
      proof: (await tree.consistency(from)).map(hex),
    })
  },
  ({ log, from, to }) => ({ from: from.toString(), log, to: to.toString() }),
)

const getTile = read(
  LedgerService.method.getTile,
  async (message, { caller, reader }) => {
    const named = logOf(message.log, caller)
    return isRefusal(named) ? named : tileOf(named, message, reader)
  },
  ({ log, level, index, width }) => ({ index: index.toString(), level, log, width }),
)

const getEntryBundle = read(
  LedgerService.method.getEntryBundle,
  async (message, context) => {
    const named = logOf(message.log, context.caller)
    const signed = isRefusal(named) ? named : await signedTree(named, context.reader)
    if (isRefusal(signed)) return signed
    const fields = new Fields()
    const { index, width } = placeOf(message, fields)
    if (fields.refusal !== undefined) return fields.refusal
    if (widthIn(signed.size, 0, index) < width) return noTile()
    const from = index * tileWidth
    const rows = await context.reader.entriesFrom(signed.scope, signed.log, from, width)
    // Entries that retention has archived are not here any more; their hashes are.
    if (rows.length < width || Number(rows[0]?.seq) !== from) return noTile()
    return create(GetEntryBundleResponseSchema, { bundle: encodeBundle(rows.map(({ entry }) => entry)) })
  },
  ({ log, index, width }) => ({ index: index.toString(), log, width }),
)

interface Named {
  readonly log: string
  readonly scope: ReadScope
}

interface Signed extends Named {
  /** What the newest checkpoint covers: nothing behind it is proven or shown as a tile. */
  readonly size: number
}

/** The newest checkpoint of a log that the scope shows. */
export async function checkpointOf(
  { log, scope }: Named,
  reader: ReaderPort,
): Promise<GetCheckpointResponse | Refusal> {
  const standing = await reader.tlog.standing(scope, log)
  if (standing === undefined) return refuse('object.not_found', noLog)
  const { checkpoint } = standing
  return create(GetCheckpointResponseSchema, {
    log,
    ...(checkpoint === undefined
      ? {}
      : {
          size: BigInt(checkpoint.size),
          root: checkpoint.root,
          note: checkpoint.note,
          signedAt: timestampFromMs(checkpoint.signedAtMs),
        }),
    anchors: standing.anchors.map(({ sink, size, atMs }) => ({ sink, size: BigInt(size), at: timestampFromMs(atMs) })),
    stopped: standing.stopped ?? '',
  })
}

/** One tile of hashes of a log that the scope shows. */
export async function tileOf(
  named: Named,
  message: GetTileRequest,
  reader: ReaderPort,
): Promise<GetTileResponse | Refusal> {
  const signed = await signedTree(named, reader)
  if (isRefusal(signed)) return signed
  const fields = new Fields()
  const level = fields.integer('level', message.level, 0, 63)
  const { index, width } = placeOf(message, fields)
  if (fields.refusal !== undefined) return fields.refusal
  if (level >= tileLevelsMax || widthIn(signed.size, level, index) < width) return noTile()
  const hashes = await reader.tlog.hashes(signed.scope, signed.log, level, index, width)
  return hashes.length === width * 32 ? create(GetTileResponseSchema, { hashes }) : noTile()
}

async function signedTree(named: Named, reader: ReaderPort): Promise<Signed | Refusal> {
  const standing = await reader.tlog.standing(named.scope, named.log)
  if (standing === undefined) return refuse('object.not_found', noLog)
  const { checkpoint, stopped } = standing
  if (checkpoint !== undefined) return { ...named, size: checkpoint.size }
  return refuse('object.state', 'no checkpoint', {
    detail:
      stopped === undefined
        ? 'no checkpoint of this log has been signed yet; ask again in 10 seconds'
        : 'checkpoints of this log are stopped; GetCheckpoint says why',
  })
}

function treeOf(size: number, { scope, log }: Signed, { reader }: HandlerContext): TiledTree {
  return new TiledTree(size, (level, index, width) => reader.tlog.hashes(scope, log, level, index, width))
}

function placeOf(message: { readonly index: bigint; readonly width: number }, fields: Fields) {
  return {
    index: Number(fields.count('index', message.index, indexMax)),
    width: fields.integer('width', message.width, 0, tileWidth) || tileWidth,
  }
}

function noTile(): Refusal {
  return refuse('object.not_found', 'no such tile in the newest checkpoint', {
    detail: 'the newest checkpoint has no such tile; a partial tile has its width in its name',
  })
}

function beyond(name: string, size: number): Refusal {
  return invalid(name, `must be at most ${size}, the size of the newest checkpoint`)
}

function invalid(name: string, why: string): Refusal {
  return refuse('input.invalid', `${name}: ${why}`, { detail: `${name} ${why}` })
}

function hex(hash: Uint8Array): string {
  return Buffer.from(hash).toString('hex')
}

export const proofHandlers = [getCheckpoint, getInclusionProof, getConsistencyProof, getTile, getEntryBundle]
