import { Secret, secretsEqual } from '#core'
import type { Config } from './schema.ts'
import { settings } from './settings.ts'

export interface Reload {
  /** The top-level parts that change now; what needs a restart is in them as it was before. */
  readonly apply: Partial<Config>
  /** Settings that changed and take effect at the next start only. */
  readonly needRestart: readonly string[]
}

/** Splits a change of the settings into what a running server takes over and what waits for a restart (SPEC O1). */
export function reloadable(before: Config, after: Config): Reload {
  const changed = settings.filter(({ path }) => !isEqual(valueAt(before, path), valueAt(after, path)))
  const now = changed.filter(({ reload }) => reload)
  const next = now.reduce((config, { path }) => withValue(config, path.split('.'), valueAt(after, path)), before)
  const parts = new Set(now.map(({ path }) => path.split('.')[0]))
  return {
    apply: Object.fromEntries(Object.entries(next).filter(([key]) => parts.has(key))),
    needRestart: changed.filter(({ reload }) => !reload).map(({ path }) => path),
  }
}

function valueAt(config: Config, path: string): unknown {
  return path.split('.').reduce<unknown>((value, key) => (isRecord(value) ? value[key] : undefined), config)
}

function withValue<T extends object>(target: T, [key = '', ...rest]: readonly string[], value: unknown): T {
  const inner: unknown = Reflect.get(target, key)
  // A section that was not there before begins with what is new in it.
  return { ...target, [key]: rest.length > 0 ? withValue(isRecord(inner) ? inner : {}, rest, value) : value }
}

function isEqual(a: unknown, b: unknown): boolean {
  if (a instanceof Secret && b instanceof Secret) return secretsEqual(a.reveal(), b.reveal())
  return a === b || (Array.isArray(a) && JSON.stringify(a) === JSON.stringify(b))
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
