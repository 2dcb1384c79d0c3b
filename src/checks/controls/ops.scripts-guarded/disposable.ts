const buildName =
  /(?:^|\/)(?:dist|build|builds|out|output|target|node_modules|coverage|\.?cache|\.?tmp|temp|bin|obj|lib|gen|generated|artifacts?|packages?|release|releases|site|public|_site|docs?|html|reports?|logs?|\.next|\.nuxt|\.turbo|\.parcel-cache|\.pytest_cache|\.mypy_cache|\.tox|\.venv|venv|__pycache__|[\w.*-]*\.egg-info|\.eggs|\.git|vendor|third_party|checkout|clone|work|workdir|staging|scratch)(?:\/[^/]*)*\/?\**$/i
const disposableVariable =
  /tmp|temp|build|dist|out(?:put|dir|_dir|$)|cache|work|stag(?:e|ing)|scratch|target|coverage|artifact|pkg|package|dest|bundle|clone|checkout|gen|log|report|venv|node_modules|test|demo|fixture|sandbox|mktemp|runner/i
const lastingName =
  /^(?:\.\/)?(?:data|backups?|storage|uploads?|volumes?|pgdata|postgres\w*|mysql|db|database|state|exports?|archive)(?:\/|$)/i
const lastingRoot =
  /^\/(?:$|\*|var\/lib\/(?!apt\/|dpkg|docker\/tmp)|srv|data|mnt|media|home|root|etc|boot|backups?|opt\/(?!\w+\/(?:cache|tmp)))/

/**
 * A path that a build, a test or the script itself makes anew: known by where it lies, or by what its variables are set to. A
 * variable that comes from outside is none.
 */
export function isDisposable(path: string, assigned: ReadonlyMap<string, readonly string[]>, depth = 0): boolean {
  const text = path.replaceAll(/["']/g, '').trim()
  if (text === '' || /mktemp|git rev-parse --show-toplevel|dirname|^\$\(pwd\)|^\$\{?PWD/.test(text)) return true
  if (lastingRoot.test(text)) return false
  if (/^\/(?:private\/)?(?:tmp|var\/tmp|var\/cache|dev\/shm|run\/user)\//.test(text) || buildName.test(text))
    return true
  const [, variable] = /^\$\{?([A-Za-z_]\w*|[0-9@*#])/.exec(text) ?? []
  if (variable === undefined) {
    if (text.startsWith('/')) return true
    // Something inside of the repository; what is in it can be brought back.
    return !text.startsWith('~') && !text.startsWith('$') && !text.startsWith('..') && !lastingName.test(text)
  }
  if (/^(?:TMPDIR|TMP|TEMP|RUNNER_TEMP|GITHUB_WORKSPACE|CI_PROJECT_DIR|XDG_CACHE_HOME|SRCROOT)$/.test(variable))
    return true
  const values = assigned.get(variable)
  if (values !== undefined && values.length > 0 && depth < 4)
    return disposableVariable.test(variable) || values.every((value) => isDisposable(value, assigned, depth + 1))
  return disposableVariable.test(variable)
}

/** The root, a home, or all of a folder of the system. */
export function removesAll(path: string): boolean {
  return /^(?:\/|~|\$\{?HOME\}?)\/?\*?$|^\/(?:etc|home|srv|boot|var\/lib)\/?\*?$/.test(path.replaceAll(/["']/g, ''))
}
