import { repoCheck } from '../../check.ts'
import { schemaCalls, type SchemaCall } from '../../collect/sources/schema-calls.ts'
import { startScripts, type StartScript } from '../../collect/shell/start-scripts.ts'
import { doubtful, failing, stated, unjudged, type Evidence } from '../../evidence.ts'

export const r20 = repoCheck({
  id: 'R20',
  title: 'No DDL in application start',
  needs: { schemaCalls, startScripts },
  judge: ({ schemaCalls: { calls, files, unread }, startScripts: scripts }) => {
    const unclear = unread.map(({ file, why }) =>
      unjudged('UNKNOWN', { file, start: 0, end: 0 }, why, { subject: why }),
    )
    if (files === 0 && scripts.length === 0 && unclear.length === 0)
      return [stated('repo', 'NOT_APPLICABLE', 'There is no code of an application, and nothing that starts one.')]
    return [...calls.map(judgeCall), ...scripts.flatMap(judgeScript), ...unclear]
  },
})

const sayings: Readonly<Record<SchemaCall['does'], string>> = {
  models: 'makes the schema from its models',
  migrations: 'runs its migrations itself',
  ddl: 'changes the schema',
}

function judgeCall({ spot, does, called, guarded, start }: SchemaCall): Evidence {
  const detail = `The application ${sayings[does]} (${called}).`
  const subject = `${does} ${called}`
  if (guarded) return doubtful(spot, `${detail} It asks for its environment first.`, { subject, confidence: 'low' })
  if (does === 'models') return failing(spot, detail, { subject })
  // Whether another file runs at the start is not told by its name.
  return start
    ? failing(spot, detail, { subject, confidence: 'medium' })
    : doubtful(spot, `${detail} Whether it does so at its start is not told here.`, { subject, confidence: 'low' })
}

const otherRole =
  /(?:owner|admin|migrat|ddl|superuser|root)\w*_(?:url|dsn|user|role)\b|_(?:owner|admin|migrat\w*|ddl)=/i

/** A service or an image that only migrates is how it should be; what else it starts is the application, with the same role. */
function judgeScript({ called, commands, before }: StartScript): readonly Evidence[] {
  if (!before && commands.every(({ kind }) => kind !== 'start')) return []
  return commands.flatMap(({ kind, spot, text }) => {
    if (kind !== 'migration') return []
    const detail = `What starts the application runs migrations (${called}).`
    return otherRole.test(text)
      ? [doubtful(spot, `${detail} It seems to do so with a role of its own.`, { subject: text, confidence: 'low' })]
      : [failing(spot, detail, { subject: text })]
  })
}
