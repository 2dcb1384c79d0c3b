import { ListValue, MapValue, ScalarValue, type Entry, type Value } from '../values/value.ts'

// What names an item of these: later files replace items of the same name and add the others.
const keyed = new Set(['environment', 'labels', 'annotations', 'sysctls', 'extra_hosts', 'build.args'])
const replaced = new Set(['command', 'entrypoint', 'healthcheck.test'])

/**
 * A service as the later file leaves it: lists grow, maps are merged, anything else is replaced, `!reset` takes away and `!override`
 * replaces. Every value keeps its place in the file that it comes from.
 */
export function mergedSettings(base: MapValue, over: MapValue, path = ''): MapValue {
  const taken = new Map<string, Entry>(base.entries.map((entry) => [entry.key.text, entry]))
  for (const entry of over.entries) {
    const name = entry.key.text
    const tag = tagOf(entry.value)
    const before = taken.get(name)?.value
    if (tag === 'reset') taken.delete(name)
    else if (before === undefined || tag === 'override') taken.set(name, entry)
    else
      taken.set(name, {
        key: entry.key,
        value: mergedValue(before, entry.value, path === '' ? name : `${path}.${name}`),
      })
  }
  return new MapValue(over, [...taken.values()], over.flow)
}

function mergedValue(before: Value, after: Value, path: string): Value {
  if (replaced.has(path)) return after
  if (keyed.has(path)) return mergedPairs(before, after)
  if (before.kind === 'map' && after.kind === 'map') return mergedSettings(before, after, path)
  if (before.kind === 'list' && after.kind === 'list')
    return new ListValue(after, [...before.items, ...after.items], after.flow)
  return after
}

function mergedPairs(before: Value, after: Value): MapValue {
  const pairs = new Map<string, Entry>()
  for (const entry of [...pairsOf(before), ...pairsOf(after)]) pairs.set(entry.key.text, entry)
  return new MapValue(after, [...pairs.values()])
}

/** `NAME=value` items of a list and entries of a map alike; without a value, the text is null. */
export function pairsOf(value: Value | undefined): readonly Entry[] {
  if (value?.kind === 'map') return value.entries
  if (value?.kind !== 'list') return []
  return value.items.flatMap((item) => {
    if (item.kind !== 'scalar') return []
    const equals = item.text.indexOf('=')
    const name = equals === -1 ? item.text : item.text.slice(0, equals)
    const key = new ScalarValue(item.inside(0, name.length), name, name)
    if (equals === -1) return [{ key, value: new ScalarValue(item, null, '') }]
    const text = item.text.slice(equals + 1)
    return [{ key, value: new ScalarValue(item.inside(equals + 1, item.text.length), text, text, item.style) }]
  })
}

const indexes = new WeakMap<MapValue, ReadonlyMap<string, Value>>()

/** The value of a key of a map that is asked for many keys: a compose file may have as many services as it likes. */
export function valueAt(map: MapValue | undefined, key: string): Value | undefined {
  if (map === undefined) return undefined
  let index = indexes.get(map)
  if (index === undefined) {
    index = new Map(map.entries.map((entry) => [entry.key.text, entry.value]))
    indexes.set(map, index)
  }
  return index.get(key)
}

export function mapAt(map: MapValue | undefined, key: string): MapValue | undefined {
  const value = valueAt(map, key)
  return value?.kind === 'map' ? value : undefined
}

function tagOf({ file, start }: Value): string | undefined {
  return /!(reset|override)\s*$/.exec(file.text.slice(Math.max(0, start - 20), start))?.[1]
}
