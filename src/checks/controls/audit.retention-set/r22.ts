import { problemsOf, repoCheck } from '../../check.ts'
import { isReadable } from '../../collect/source-file.ts'
import { access } from '../../collect/sql/access.ts'
import { timeSeriesOf, type TimeSeries } from '../../collect/sql/time-series.ts'
import { doubtful, failing, stated, type Evidence } from '../../evidence.ts'

export const r22 = repoCheck({
  id: 'R22',
  title: 'Hypertables and managed partitions have retention and compression policies',
  needs: { access },
  judge: ({ access: { files } }) => {
    const problems = files.flatMap(problemsOf)
    const statements = files.flatMap((parsed) => (isReadable(parsed) ? parsed.value.statements : []))
    const { tables, guessed } = timeSeriesOf(statements)
    if (tables.length === 0 && guessed.length === 0 && problems.length === 0)
      return [stated('repo', 'NOT_APPLICABLE', 'No SQL file makes a hypertable or hands a table to pg_partman.')]
    const unclear = guessed.map((spot) =>
      doubtful(spot, 'Which table this is about is put in when it runs.', { confidence: 'low' }),
    )
    return [...tables.flatMap((table) => judgeTable(table, guessed.length > 0)), ...unclear, ...problems]
  },
})

function judgeTable(
  { name, by, spot, retained, compressed }: TimeSeries,
  othersAreGuessed: boolean,
): readonly Evidence[] {
  const table = name.join('.')
  const missing = [...(retained ? [] : ['retention']), ...(compressed ? [] : ['compression'])]
  return missing.map((policy) => {
    const detail = `${table} (${by}) has no ${policy} policy.`
    const subject = `${policy} ${table}`
    return othersAreGuessed
      ? doubtful(spot, `As far as can be told, ${detail}`, { subject, confidence: 'medium' })
      : failing(spot, detail, { subject })
  })
}
