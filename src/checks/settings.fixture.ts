import { checkNamed } from './checks.fixture.ts'
import { SourceFile } from './collect/source-file.ts'
import { Tree } from './collect/tree.ts'
import { runChecks, type Result } from './run.ts'

interface Around {
  readonly path?: string
  readonly env?: Readonly<Record<string, string>>
  readonly repo?: Readonly<Record<string, string>>
}

/** The day on which settings are judged in tests. */
export const today = new Date('2026-11-22T12:00:00Z')

/** What a config check says about a settings file, or about an env file where its path says that it is one. */
export async function judgedSettings(id: string, text: string, around: Around = {}): Promise<Result> {
  const { path = 'portcullis.yaml', env = {}, repo } = around
  const file = new SourceFile(path, text)
  const { control, check } = checkNamed(id)
  const results = await runChecks({
    contexts: {
      config: { path, file: { file, value: file }, env, now: today },
      ...(repo === undefined ? {} : { repo: Tree.of(repo) }),
    },
    controls: [{ ...control, checks: [check] }],
  })
  const [result] = results
  if (result === undefined) throw new Error(`${id} gave no result`)
  return result
}
