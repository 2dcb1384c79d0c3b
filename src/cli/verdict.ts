import * as z from 'zod'

const count = z
  .string()
  .regex(/^-?\d{1,19}$/)
  .default('0')
  .transform(Number)

/** What LedgerService.Verify answers, with the names of the interface (SPEC L10). */
export const onlineShape = z
  .object({
    chainValid: z.boolean().default(false),
    log: z.string().default(''),
    from: count,
    to: count,
    root: z.string().default(''),
    checkpointSize: count,
    anchoredSize: count,
    firstBadSeq: count,
    problem: z.string().default(''),
  })
  .transform(({ chainValid, log, from, to, root, checkpointSize, anchoredSize, firstBadSeq, problem }) => ({
    chain_valid: chainValid,
    log,
    from,
    to,
    root,
    checkpoint_size: checkpointSize,
    anchored_size: anchoredSize,
    ...verdictOf(chainValid, firstBadSeq, problem),
  }))

export type OnlineVerdict = z.output<typeof onlineShape>

interface Said {
  readonly first_bad_seq?: number
  readonly problem?: string
  /** What is to be said of a valid log. */
  readonly note?: string
}

function verdictOf(isValid: boolean, firstBadSeq: number, problem: string): Said {
  if (!isValid) return { first_bad_seq: firstBadSeq, problem }
  return problem === '' ? {} : { note: problem }
}
