import { members, type OperationStatement } from './statement.ts'

// What one request to the authorization server writes; of two that use one code, the function lets one win. Volatile: each member
// sees what the one before it did.
export const commitOAuth: OperationStatement = {
  name: 'oauth.commit',
  text: `with ${members('writes jsonb')}
  select m.n, portcullis.oauth_commit(m.writes) as verdict from m`,
}
