/** How many words stand before the program that a wrapper runs: 3 of `sudo -u me git push`; 0 where none is wrapped. */
export function wrapperWords(words: readonly string[]): number {
  const [program = '', ...args] = words
  const name = programName(program)
  if (/^(?:python[\d.]*|py)$/.test(name)) {
    const at = args.indexOf('-m')
    return at !== -1 && skipOptions(args.slice(0, at), ['-W', '-X']) === at ? at + 2 : 0
  }
  const wrapper = Object.hasOwn(wrappers, name) ? wrappers[name] : undefined
  if (wrapper === undefined || (name === 'command' && /^-[vV]/.test(args[0] ?? ''))) return 0
  const from = 1 + skipOptions(args, wrapper.valued)
  // `env NAME=value program`, `sudo NAME=value program`.
  const assignments = words.slice(from).findIndex((word) => !/^[A-Za-z_]\w*=/.test(word))
  return from + Math.max(0, assignments) + (wrapper.words ?? 0)
}

interface Wrapper {
  /** Its options that take the next word as their value. */
  readonly valued: readonly string[]
  /** How many words of its own come behind the options. */
  readonly words?: number
}

const timeout: Wrapper = { valued: ['-k', '-s', '--kill-after', '--signal'], words: 1 }
const wrappers: Readonly<Record<string, Wrapper>> = {
  sudo: { valued: ['-u', '-g', '-C', '-h', '-p', '-U', '--user', '--group'] },
  doas: { valued: ['-u', '-C'] },
  env: { valued: ['-u', '--unset', '-C', '--chdir'] },
  timeout,
  gtimeout: timeout,
  nice: { valued: ['-n', '--adjustment'] },
  ionice: { valued: ['-c', '-n'] },
  nohup: { valued: [] },
  setsid: { valued: [] },
  stdbuf: { valued: ['-i', '-o', '-e'] },
  time: { valued: ['-f', '-o'] },
  command: { valued: [] },
  exec: { valued: ['-a'] },
  builtin: { valued: [] },
  chronic: { valued: [] },
  retry: { valued: ['-t', '-d', '-s', '--times', '--delay'] },
  xargs: { valued: ['-I', '-n', '-P', '-L', '-d', '-a', '-s', '-E'] },
}

/** The script of `sh -c '…'`. */
export function innerScript(words: readonly string[]): string | undefined {
  const [program = '', ...args] = words
  if (!/^(?:ba|da|a|z|k)?sh$/.test(programName(program))) return undefined
  const at = args.findIndex((arg) => /^-[a-z]*c$/.test(arg))
  return at === -1 ? undefined : args[at + 1]
}

/** Without its folder; empty where it is a variable. */
export function programName(program: string): string {
  if (program.startsWith('$')) return ''
  return program.slice(program.lastIndexOf('/') + 1).replace(/\.exe$/i, '')
}

/** How many words the options before the first other word take. */
export function skipOptions(args: readonly string[], valued: readonly string[]): number {
  let at = 0
  for (; at < args.length; at += 1) {
    const arg = args[at] ?? ''
    if (arg === '--') return at + 1
    if (!arg.startsWith('-') || arg === '-') return at
    if (valued.includes(arg)) at += 1
  }
  return Math.min(at, args.length)
}
