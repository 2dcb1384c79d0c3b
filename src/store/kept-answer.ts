/**
 * The answer to a question that everybody may ask: asked of the database once in a while, whoever and however many ask. Who asks while it
 * is on its way waits for the same; a failure is not kept.
 */
export class KeptAnswer<Answer> {
  readonly #ask: () => Promise<Answer>
  readonly #keepMs: number
  readonly #monotonic: () => number
  #kept: { readonly answer: Promise<Answer>; readonly askedAt: number } | undefined

  constructor(ask: () => Promise<Answer>, keepMs: number, monotonic: () => number) {
    this.#ask = ask
    this.#keepMs = keepMs
    this.#monotonic = monotonic
  }

  get(): Promise<Answer> {
    const askedAt = this.#monotonic()
    if (this.#kept !== undefined && askedAt - this.#kept.askedAt < this.#keepMs) return this.#kept.answer
    const answer = this.#ask()
    const kept = { answer, askedAt }
    this.#kept = kept
    answer.catch(() => {
      if (this.#kept === kept) this.#kept = undefined
    })
    return answer
  }
}
