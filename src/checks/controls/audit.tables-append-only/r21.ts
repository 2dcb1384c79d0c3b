import { problemsOf, repoCheck, type Parameters } from '../../check.ts'
import { access, type Access, type Grant, type Table } from '../../collect/sql/access.ts'
import { changes, type Change, type Refusal } from '../../collect/sql/routines.ts'
import { doubtful, failing, stated, type Evidence } from '../../evidence.ts'

export const r21 = repoCheck({
  id: 'R21',
  title: 'Audit tables are append-only by grants and triggers',
  parameters: {
    schemas: { means: 'schemas whose tables are all audit tables', default: ['audits'] },
    tables: { means: 'audit tables elsewhere, as name or schema.name', default: ['audits'] },
  },
  needs: { access },
  judge: ({ access: { files, access: facts } }, parameters) => {
    const tables = facts.tables.filter((table) => isAudit(table, parameters))
    const problems = files.flatMap(problemsOf)
    if (tables.length === 0 && problems.length === 0) return [stated('repo', 'NOT_APPLICABLE', absent(parameters))]
    const someHold = tables.some((table) => changes.every((change) => refusalOf(table, change, facts) === 'always'))
    return [...tables.flatMap((table) => judgeTable(table, facts, someHold)), ...problems]
  },
})

function isAudit({ schema, name }: Table, { schemas = [], tables = [] }: Parameters): boolean {
  return schemas.includes(schema) || tables.includes(name) || tables.includes(`${schema}.${name}`)
}

function absent({ schemas = [], tables = [] }: Parameters): string {
  const names = `schema ${schemas.join(', ') || '(none)'} and no table ${tables.join(', ') || '(none)'}`
  return `No SQL file makes a table in ${names}: name others with --param R21.schemas= and R21.tables=.`
}

function judgeTable(table: Table, facts: Access, someHold: boolean): readonly Evidence[] {
  const granted = table.grants.filter(({ role }) => role !== table.owner && role !== 'postgres')
  return [...judgeGrants(table, granted), ...judgeTriggers(table, facts, someHold)]
}

function judgeGrants({ schema, name }: Table, granted: readonly Grant[]): readonly Evidence[] {
  return [...Map.groupBy(granted, ({ role, spot }) => `${role} ${spot.file.path}:${spot.start}`).values()].flatMap(
    (grants) => {
      const [first] = grants
      if (first === undefined) return []
      const allowed = grants.map(({ change }) => change.toUpperCase()).join(', ')
      const subject = `${first.role} ${allowed} ${schema}.${name}`
      const detail = `${first.role} may ${allowed} ${schema}.${name}, which is an audit table.`
      return first.guessed
        ? [doubtful(first.spot, `As far as a name that is put in can tell: ${detail}`, { subject, confidence: 'low' })]
        : [failing(first.spot, detail, { subject })]
    },
  )
}

function judgeTriggers(table: Table, facts: Access, someHold: boolean): readonly Evidence[] {
  // A partition has the row triggers of its table; nobody is granted anything on it that they lack there.
  if (table.partition) return []
  const refusals = changes.map((change) => ({ change, refusal: refusalOf(table, change, facts) }))
  const called = `${table.schema}.${table.name}`
  const listed = (wanted: readonly Change[]): string => wanted.map((change) => change.toUpperCase()).join(', ')
  const open = refusals.filter(({ refusal }) => refusal === 'never').map(({ change }) => change)
  const writers = new Set(changes.flatMap((change) => facts.writers(table, change)))
  // A position, a head, a hold beside records that do hold: its own functions change it, and nobody else may.
  const isState = someHold && open.length > 0 && writers.size > 0 && table.grants.length === 0
  const bounded = refusals.filter(({ refusal }) => refusal === 'sometimes').map(({ change }) => change)
  const evidence: Evidence[] = []
  if (isState) {
    const detail = `No trigger refuses ${listed(open)} on ${called}; nobody is granted it, and the table is changed on purpose by ${[...writers].join(', ')}.`
    evidence.push(doubtful(table.spot, detail, { subject: `state ${called}`, confidence: 'medium' }))
  } else if (open.length > 0) {
    const detail = `No trigger refuses ${listed(open)} on ${called}: its owner, and whoever is granted it later, can change the record.`
    evidence.push(failing(table.spot, detail, { subject: `trigger ${called}` }))
  }
  if (bounded.length > 0) {
    const detail = `Whether ${listed(bounded)} on ${called} is refused depends on a condition or on a function that cannot be read here.`
    evidence.push(doubtful(table.spot, detail, { subject: `condition ${called}`, confidence: 'medium' }))
  }
  return evidence
}

function refusalOf(table: Table, change: Change, facts: Access): Refusal {
  const found = table.triggers
    .filter((trigger) => !trigger.disabled && trigger.changes.includes(change))
    .map(({ routine, conditional }): Refusal => {
      const refusal = routine === undefined ? 'always' : facts.refusal(routine, change)
      return conditional && refusal === 'always' ? 'sometimes' : refusal
    })
  if (found.includes('always')) return 'always'
  return found.includes('sometimes') ? 'sometimes' : 'never'
}
