/**
 * Whether a script may write text that it was given under this name to the file for later steps. Not where every line that names it
 * writes words of its own.
 */
export function mayCarry(script: string, name: string, file: 'GITHUB_ENV' | 'GITHUB_OUTPUT'): boolean {
  if (!script.includes(file) && !script.includes('::set-') && !script.includes('core.')) return false
  if (script.length > charactersMax) return true
  const lines = script.split('\n').filter((line) => line.toLowerCase().includes(`${name}=`))
  return lines.length === 0 || lines.some((line) => /[$`]/.test(written(line, name)))
}

// Of a longer one it is assumed.
const charactersMax = 16_384

// Behind the name, without where it is written to.
function written(line: string, name: string): string {
  const from = line.toLowerCase().indexOf(`${name}=`) + name.length + 1
  const redirection = line.indexOf('>>', from)
  return line.slice(from, redirection === -1 ? undefined : redirection)
}
