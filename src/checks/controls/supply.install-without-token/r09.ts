import { judgeEach, repoCheck } from '../../check.ts'
import { installScripts, type TokenUse } from '../../collect/shell/install-scripts.ts'
import { doubtful, failing, type Evidence } from '../../evidence.ts'

/** Shell scripts are read as a shell reads them; of PowerShell only the words are, so what is said of it is never quite sure. */
export const r09 = repoCheck({
  id: 'R09',
  title: 'Install scripts work without a token, and warn of one that may do too much',
  needs: { installScripts },
  judge: ({ installScripts: files }) => judgeEach(files, 'There is no install script.', judge),
})

function judge({ demands, sends, shows, first, readsScopes, namesBroad, language }: TokenUse): readonly Evidence[] {
  const sure = language === 'shell' ? 'high' : 'low'
  const found: Evidence[] = [
    ...demands.map(({ spot, likely }) =>
      failing(spot, 'The script gives up where there is no token.', { confidence: likely === true ? 'low' : 'high' }),
    ),
    ...sends.map(({ spot, likely }) => {
      const why = 'The token is sent even where there is none, and an empty one is refused.'
      return likely === true ? doubtful(spot, why, { confidence: 'low' }) : failing(spot, why)
    }),
    ...shows.map((spot) =>
      doubtful(spot, 'The token is an argument of a program: who lists the processes of the machine can read it.', {
        confidence: 'medium',
        subject: `${spot.file.text.slice(spot.start, spot.end)} argument`,
      }),
    ),
  ]
  if (first === undefined) return found
  if (!readsScopes)
    found.push(
      failing(first, 'The script uses a token and never looks at what it may do (X-OAuth-Scopes).', {
        confidence: sure,
        subject: 'scopes',
      }),
    )
  else if (!namesBroad)
    found.push(
      doubtful(first, 'The script reads the scopes of the token, and names none that is too broad.', {
        confidence: 'low',
        subject: 'broad scopes',
      }),
    )
  return found
}
