import { collect, type Collector } from '../collector.ts'
import { isReadable, type Parsed, type Spot } from '../source-file.ts'
import { AccessFold } from './access-fold.ts'
import { routineOf, type Change, type Refusal } from './routines.ts'
import { sqlFiles, sqlParser, type SqlFile } from './sql-files.ts'

/** A table as the migrations leave it. */
export interface Table {
  readonly schema: string
  readonly name: string
  readonly spot: Spot
  /** It gets its row triggers from the table that it is part of. */
  readonly partition: boolean
  readonly owner: string | undefined
  readonly grants: readonly Grant[]
  readonly triggers: readonly Trigger[]
}

/** A role other than the owner may make this change. */
export interface Grant {
  readonly change: Change
  readonly role: string
  readonly spot: Spot
  /** The name of the table is put in when the statement runs. */
  readonly guessed: boolean
}

/** A trigger or a rule that stands in the way of changes. */
export interface Trigger {
  readonly name: string
  readonly changes: readonly Change[]
  /** The function that it calls; absent for a rule that does nothing instead. */
  readonly routine: readonly string[] | undefined
  /** It fires for some rows or columns only, or its table is put in when the statement runs. */
  readonly conditional: boolean
  readonly disabled: boolean
}

/** Who may change what, as the SQL files of the tree leave it. */
export interface Access {
  readonly schemas: ReadonlySet<string>
  readonly tables: readonly Table[]
  /** Grants for tables that are still to be made, by schema. */
  readonly futureGrants: readonly (Grant & { readonly schema: string })[]
  /** How sure a trigger function refuses; `sometimes` for one that is not in the tree. */
  refusal(routine: readonly string[], change: Change): Refusal
  /** The functions that make this change to the table themselves. */
  writers(table: Table, change: Change): readonly string[]
}

export interface AccessFacts {
  /** What the model was folded from. */
  readonly files: readonly Parsed<SqlFile>[]
  readonly access: Access
}

/** Folds the SQL files of the tree, in the order of their paths, into who may change what. */
export async function foldAccess(files: readonly Parsed<SqlFile>[]): Promise<Access> {
  const fold = new AccessFold()
  if (files.length === 0) return fold.result()
  const parser = await sqlParser()
  for (const parsed of files) {
    if (!isReadable(parsed)) continue
    fold.beginFile()
    for (const statement of parsed.value.statements) {
      const { kind, node, spot } = statement
      if (kind === 'CreateFunctionStmt')
        fold.routine(routineOf(node, spot.file.text.slice(spot.start, spot.end), parser))
      else fold.apply(statement)
    }
  }
  return fold.result()
}

export const access: Collector<'repo', AccessFacts> = async (tree) => {
  const files = await collect(sqlFiles, tree)
  return { files, access: await foldAccess(files) }
}
