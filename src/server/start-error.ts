/** Something that the person who starts the server can put right. Each problem says what to do. */
export class StartError extends Error {
  readonly problems: readonly string[]

  constructor(message: string, problems: readonly string[] = [], cause?: unknown) {
    super(message, { cause })
    this.name = 'StartError'
    this.problems = problems
  }
}
