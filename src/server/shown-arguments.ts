import type { Message } from '@bufbuild/protobuf'
import type { Handler, Summary } from '#hub'

interface ShownArguments {
  /** What the entry shows; where the reply is a decision, also that, once it was heard. */
  readonly args: () => Summary
  readonly heard: (reply: Message) => void
}

/** The arguments of one call as the ledger shows them. */
export function shownArguments({ summary, told }: Handler, message: Message): ShownArguments {
  let decision: Message | undefined
  return {
    args: () => ({
      ...summary?.(message),
      ...(told === undefined || decision === undefined ? undefined : told(decision, message)),
    }),
    heard: (reply) => {
      decision = reply
    },
  }
}
