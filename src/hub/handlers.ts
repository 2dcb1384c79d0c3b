import { methods } from '@portcullis/contract'
import { entryHandlers } from './entries/handlers.ts'
import type { Handler } from './handler.ts'
import { identityHandlers } from './identities/handlers.ts'
import { runReads } from './runs/reads.ts'
import { runWrites } from './runs/writes.ts'
import { tenantHandlers } from './tenants/handlers.ts'

const list: readonly Handler[] = [...runWrites, ...runReads, ...identityHandlers, ...tenantHandlers, ...entryHandlers]

/** What each method does, by path. Public reads are answered by the server itself. */
export const handlers: ReadonlyMap<string, Handler> = new Map(list.map((handler) => [handler.method.path, handler]))

const missing = [...methods.values()].filter(({ access, path }) => access !== 'public_read' && !handlers.has(path))
if (missing.length > 0) throw new Error(`no handler for ${missing.map(({ path }) => path).join(', ')}`)
