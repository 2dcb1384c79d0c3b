/** Something that the person who starts the server can put right. Each problem says what to do. */
export class StartError extends Error {
  readonly problems: readonly string[]
  /** A rule said no, where nothing is wrong with the deployment. */
  readonly isRefusal: boolean = false

  constructor(message: string, problems: readonly string[] = [], cause?: unknown) {
    super(message, { cause })
    this.name = 'StartError'
    this.problems = problems
  }
}

/** What a rule of the product refuses. */
export class RefusedError extends StartError {
  override readonly isRefusal = true
}
