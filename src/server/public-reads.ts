import { create, type Message } from '@bufbuild/protobuf'
import { GetHealthResponseSchema, HubService, methodOf, type Method } from '@portcullis/contract'
import { telemetrySummary, type ReaderPort } from '#hub'
import type { Reply } from './pipeline.ts'
import { version } from './version.ts'

const answers: ReadonlyMap<Method, (reader: ReaderPort) => Promise<Message>> = new Map<
  Method,
  (reader: ReaderPort) => Promise<Message>
>([
  [
    methodOf(HubService.method.getHealth),
    async (reader) =>
      create(GetHealthResponseSchema, { status: (await reader.ping()) ? 'ok' : 'unavailable', version }),
  ],
  [methodOf(HubService.method.getTelemetrySummary), telemetrySummary],
])

/** The answer to a public read. */
export async function answerPublic(method: Method, reader: ReaderPort): Promise<Reply> {
  const answer = answers.get(method)
  if (answer === undefined) throw new Error(`no answer for ${method.path}`)
  return { refused: false, message: await answer(reader), replayed: false }
}
