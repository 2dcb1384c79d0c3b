import type { Config } from '#config'
import { Connection, inspectDatabase, type ConnectionSettings } from '#store'
import { StartError } from './start-error.ts'

/** What a listener that cannot be opened means for whoever started it. */
export async function listening<Listener>(
  name: keyof Config['listen'] | 'debug',
  listener: Promise<Listener>,
): Promise<Listener> {
  try {
    return await listener
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    const setting = name === 'debug' ? 'debug.port' : `listen.${name}`
    const variable = `PORTCULLIS__${setting.replaceAll(/[A-Z]/g, '_$&').toUpperCase().replace('.', '__')}`
    const todo = /EADDRINUSE|address already in use/i.test(text)
      ? `the address is in use: stop the program that holds it, or set ${setting} (${variable}) to another one`
      : `set ${setting} to an address of this machine`
    throw new StartError(`cannot listen for ${name}`, [`${text}; ${todo}`], error)
  }
}

/** Throws where the database cannot be reached, or is not fit to serve from. */
export async function checkDatabase(settings: ConnectionSettings): Promise<void> {
  const connection = new Connection(settings, 'start')
  try {
    const client = await connection.client().catch((error: unknown) => {
      const text = error instanceof Error ? error.message : String(error)
      throw new StartError(
        'the database cannot be reached',
        [`${text}; check database.url, that PostgreSQL runs and that it accepts this role`],
        error,
      )
    })
    const problems = await inspectDatabase(client)
    if (problems.length > 0) throw new StartError('the database is not fit to serve from', problems)
  } finally {
    await connection.close()
  }
}
