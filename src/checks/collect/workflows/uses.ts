import { posix } from 'node:path'
import { entryNamed } from './lookup.ts'
import { isReadable, type Parsed } from '../source-file.ts'
import type { Action, Step, Uses } from './workflows.ts'

/** The action in lower case with its folder, such as `actions/cache/restore`; undefined where it is not one of a repository. */
export function actionOf(uses: Uses | undefined): string | undefined {
  if (uses?.kind !== 'repository') return undefined
  const path = uses.path.replaceAll(/^\/+|\/+$/g, '')
  return (path === '' ? uses.name : `${uses.name}/${path}`).toLowerCase()
}

/** The major version that a step asks for: by its tag, or by the comment behind a commit; undefined where neither tells. */
export function majorOf({ uses }: Step): number | undefined {
  if (uses?.kind !== 'repository') return undefined
  const tag = /^v?(\d{1,4})(?:\.|$)/.exec(uses.ref)?.[1]
  if (tag !== undefined) return Number(tag)
  const { file, end } = uses.node
  const newline = file.text.indexOf('\n', end)
  const behind = file.text.slice(end, Math.min(newline === -1 ? file.text.length : newline, end + 200))
  const said = /#.{0,80}?\bv?(\d{1,4})(?:\.\d|\s|$)/.exec(behind)?.[1]
  return said === undefined ? undefined : Number(said)
}

/** The text of an input of an action; undefined where it is not given. Names are compared without case. */
export function inputOf({ node }: Step, name: string): string | undefined {
  const value = entryNamed(node.map('with'), name)?.value
  return value?.kind === 'scalar' ? value.text : value?.source
}

const byFolder = new WeakMap<readonly Parsed<Action>[], ReadonlyMap<string, Action>>()

/** The composite or other action of this repository that a step names by path. */
export function localAction(uses: Uses | undefined, actions: readonly Parsed<Action>[]): Action | undefined {
  if (uses?.kind !== 'local') return undefined
  let index = byFolder.get(actions)
  if (index === undefined) {
    index = new Map(
      actions.flatMap((parsed) =>
        isReadable(parsed) ? [[posix.dirname(parsed.file.path), parsed.value] as const] : [],
      ),
    )
    byFolder.set(actions, index)
  }
  return index.get(posix.normalize(uses.path).replace(/\/$/, ''))
}
