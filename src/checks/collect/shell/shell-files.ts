import type { Collector } from '../collector.ts'
import { samples } from '../packages/manifests.ts'
import type { Parsed, SourceFile } from '../source-file.ts'

/** The shell scripts of the repository by their names, outside of samples and test data. */
export const shellFiles: Collector<'repo', readonly Parsed<SourceFile>[]> = async (tree) =>
  tree.readAll(tree.matching(/\.(?:ba)?sh$/).filter(({ path }) => !samples.test(path)))
