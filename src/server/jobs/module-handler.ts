import { pathToFileURL } from 'node:url'
import { resolve } from 'node:path'
import type { Json } from '#core'
import { StartError } from '../start-error.ts'
import type { JobHandler } from './job.ts'

/** A kind whose code is a file of the operator: its default export, or its export `run`, is the job. Loaded at the start. */
export async function moduleHandler(kind: string, file: string): Promise<JobHandler> {
  const path = resolve(file)
  const loaded = await import(pathToFileURL(path).href).catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error)
    throw new StartError(`the module of the job ${kind} cannot be loaded`, [`${path}: ${why}`], error)
  })
  const { run = loaded.default } = loaded as Record<string, unknown> & { readonly default?: unknown }
  if (typeof run !== 'function')
    throw new StartError(`the module of the job ${kind} has no job`, [
      `${path}: export a function as default or as run`,
    ])
  return async (given) => {
    const found: unknown = await (run as (job: typeof given) => unknown)(given)
    return typeof found === 'object' && found !== null && !Array.isArray(found)
      ? (JSON.parse(JSON.stringify(found)) as Record<string, Json>)
      : { value: found === undefined ? null : (JSON.parse(JSON.stringify(found)) as Json) }
  }
}
