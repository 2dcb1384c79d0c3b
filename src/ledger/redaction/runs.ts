/** Which characters belong to a run; others, and all beyond ASCII, end it. */
export type CharacterSet = Uint8Array

export function characters(pattern: RegExp): CharacterSet {
  return Uint8Array.from({ length: 128 }, (_, code) => (pattern.test(String.fromCharCode(code)) ? 1 : 0))
}

/** Calls `visit` for each run of at least `least` such characters, in one pass: most text holds none, and costs no more than that. */
export function eachRun(
  text: string,
  set: CharacterSet,
  least: number,
  visit: (start: number, end: number) => void,
): void {
  let start = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code < 128 && set[code] === 1) continue
    if (at - start >= least) visit(start, at)
    start = at + 1
  }
  if (text.length - start >= least) visit(start, text.length)
}
