/**
 * Text of files, made safe to stand in a report: control characters, direction marks and line ends become visible, so that a finding
 * cannot hide or forge what stands around it, nor be a command to the runner whose log it stands in.
 */
export function plain(text: string): string {
  const quiet = text.replaceAll(/##(?=\w{0,20}\[)/g, String.raw`#\u{23}`).replace(/^(\s*):(?=:)/, String.raw`$1\u{3a}`)
  return quiet.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\uFDD0-\uFDEF\uFFFE\uFFFF]/gu, (char) => {
    if (char === '\n' || char === '\t' || char === '\r') return ' '
    return `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`
  })
}

/** JSON that says the same and holds no `##[command]` and `##vso[command]`, which runners obey wherever they stand in a line. */
export function quietJson(value: object): string {
  return JSON.stringify(value).replaceAll('##', String.raw`#\u0023`)
}

export interface Where {
  readonly path?: string | undefined
  readonly line?: number | undefined
  readonly column?: number | undefined
}

/** `path:line:column`, as far as the place is known. */
export function placeOf({ path, line, column }: Where): string {
  return [path ?? '', line, column].filter((part) => part !== undefined && part !== '').join(':')
}

/** A path as a relative reference (RFC 3986); a colon is encoded too, so that nothing in it is taken for a scheme. */
export function uriOf(path: string): string {
  return path
    .split('/')
    .map((part) => encodeURIComponent(part.toWellFormed()))
    .join('/')
}
