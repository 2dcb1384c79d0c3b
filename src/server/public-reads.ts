import { create } from '@bufbuild/protobuf'
import { GetHealthResponseSchema, HubService, type Method } from '@portcullis/contract'
import type { ReaderPort } from '#hub'
import type { Reply } from './pipeline.ts'
import { version } from './version.ts'

/** The answer to a public read. */
export async function answerPublic(method: Method, reader: ReaderPort): Promise<Reply> {
  if (!method.path.endsWith(`/${HubService.method.getHealth.name}`)) throw new Error(`no answer for ${method.path}`)
  const status = (await reader.ping()) ? 'ok' : 'unavailable'
  return { refused: false, message: create(GetHealthResponseSchema, { status, version }), replayed: false }
}
