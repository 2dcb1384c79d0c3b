import type { Message } from '@bufbuild/protobuf'
import { isRefusal, type Refusal } from '#core'
import type { Handler, Summary } from '#hub'

interface ShownArguments {
  /** What the entry shows; where the reply is a decision, also that, once it is there. */
  readonly args: () => Summary
  readonly watch: (reading: Promise<Message | Refusal>) => Promise<Message | Refusal>
}

/** The arguments of one call as the ledger shows them. */
export function shownArguments({ summary, told }: Handler, message: Message): ShownArguments {
  const chosen = (): Summary => summary?.(message) ?? {}
  if (told === undefined) return { args: chosen, watch: (reading) => reading }
  let reply: Message | undefined
  return {
    args: () => ({ ...chosen(), ...(reply === undefined ? {} : told(reply, message)) }),
    watch: async (reading) => {
      const found = await reading
      if (!isRefusal(found)) reply = found
      return found
    },
  }
}
