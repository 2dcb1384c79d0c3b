import { randomUUID } from 'node:crypto'
import { resourceFromAttributes, type Resource } from '@opentelemetry/resources'
import { version } from '../version.ts'

/** Which of several workers this process is, from 0 (`--workers N`); undefined where there is one process. */
export function workerOf(env: Readonly<Record<string, string | undefined>>): string | undefined {
  return Number(env['PORTCULLIS_WORKERS'] ?? 1) > 1 ? env['PORTCULLIS_WORKER'] : undefined
}

/** What tells this process from others at a collector. */
export function resourceOf(worker: string | undefined): Resource {
  return resourceFromAttributes({
    'service.name': 'portcullis',
    'service.version': version,
    'service.instance.id': randomUUID(),
    ...(worker !== undefined && { worker }),
  })
}
