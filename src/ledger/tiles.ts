import { isCount } from './tree.ts'

/** Hashes of a tile and entries of a bundle (C2SP tlog-tiles). */
export const tileWidth = 256
/** Levels that a log within 2^53 entries can have. */
export const tileLevelsMax = 7

export interface TileName {
  /** `entries` is the bundle of the entries below a tile of level 0. */
  readonly level: number | 'entries'
  readonly index: number
  /** 1 to 256; 256 is a full tile. */
  readonly width: number
}

/** How many hashes there are in a tile of a tree of that size; 0 where the tile is not there. */
export function widthIn(size: number, level: number, index: number): number {
  const hashes = Math.floor(size / tileWidth ** level)
  return Math.min(tileWidth, Math.max(0, hashes - index * tileWidth))
}

/** `0/x001/234.p/12`: a path as in a URL, behind `tile/`. */
export function formatTilePath({ level, index, width }: TileName): string {
  const groups: string[] = []
  let rest = index
  do {
    groups.unshift(String(rest % 1000).padStart(3, '0'))
    rest = Math.floor(rest / 1000)
  } while (rest > 0)
  const path = groups.map((group, at) => (at < groups.length - 1 ? `x${group}` : group)).join('/')
  return `${level}/${path}${width === tileWidth ? '' : `.p/${width}`}`
}

/** Undefined for what is not the one spelling of a tile's name. */
export function parseTilePath(path: string): TileName | undefined {
  const match = pathPattern.exec(path)
  if (match === null) return undefined
  const [, levelText = '', digits = '', widthText] = match
  const level = levelText === 'entries' ? levelText : Number(levelText)
  const index = Number(digits.replaceAll(/[x/]/g, ''))
  const name: TileName = { level, index, width: widthText === undefined ? tileWidth : Number(widthText) }
  if (!isCount(index) || name.width > tileWidth - (widthText === undefined ? 0 : 1)) return undefined
  return formatTilePath(name) === path ? name : undefined
}

/** Entries as a bundle: each behind its length in two bytes, big-endian. */
export function encodeBundle(entries: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    entries.flatMap((entry) => {
      const length = Buffer.alloc(2)
      length.writeUInt16BE(entry.length)
      return [length, entry]
    }),
  )
}

const pathPattern = /^(0|[1-9]|[1-5]\d|6[0-3]|entries)\/((?:x\d{3}\/){0,5}\d{3})(?:\.p\/([1-9]\d{0,2}))?$/
