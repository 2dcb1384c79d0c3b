import type { Collector } from './collector.ts'

/** The paths of lock files of Python projects; nothing of them is read. */
export const pythonLockPaths: Collector<'repo', ReadonlySet<string>> = async (tree) => {
  const found = tree.matching(/(?:^|\/)(?:uv\.lock|poetry\.lock|pdm\.lock|Pipfile\.lock)$/)
  return Promise.resolve(new Set(found.map(({ path }) => path)))
}
