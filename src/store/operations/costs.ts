import { members, type OperationStatement } from './statement.ts'

export const importUsage: OperationStatement = {
  name: 'cost.import',
  text: `with ${members('id uuid, source text, lines jsonb, "alertMilli" bigint, "alertNanoUsd" bigint')}
  select m.n, portcullis.import_usage(m.id, m.source, m.lines, m."alertMilli", m."alertNanoUsd") as result from m`,
}
