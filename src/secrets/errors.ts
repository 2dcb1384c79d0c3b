/** A stored secret that cannot be read. One error for every reason, so that it tells nothing to who tampers (SPEC S1). */
export class UnreadableSecret extends Error {
  constructor() {
    super(
      'a stored secret cannot be read: it was changed or moved, or its key is not at hand; compare `portcullis secrets list` with the backup of the keys',
    )
    this.name = 'UnreadableSecret'
  }
}

/** The provider of keys gave no answer, or none that decides anything: the same call may work later. */
export class KeysUnavailable extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'KeysUnavailable'
  }
}
