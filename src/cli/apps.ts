import type { Client } from './client.ts'
import { CliError } from './errors.ts'
import { nearest } from './nearest.ts'
import { readPages } from './pages.ts'
import { appPage } from './replies.ts'

/** The id of the app that a person names by id or by name. */
export async function findAppId(client: Client, app: string): Promise<string> {
  if (/^app_[0-9a-f-]{36}$/.test(app)) return app
  const { rows } = await readPages(client, 'IdentityService/ListApps', { name: app }, appPage, 1)
  const found = rows[0]
  if (found?.name === app) return found.id
  const known = await readPages(client, 'IdentityService/ListApps', {}, appPage, 1000)
  const meant = await nearest(
    app,
    known.rows.map(({ name }) => name),
  )
  throw new CliError('refused', 'object.not_found', `There is no app ${app}.`, {
    todo:
      meant === undefined
        ? 'See `portcullis app list`, or make it with `portcullis app create`.'
        : `Did you mean ${meant}?`,
  })
}
