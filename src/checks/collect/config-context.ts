/** What the config checks may look at: a settings file or an env file, and the environment that comes on top of it. */
export interface ConfigContext {
  /** As the user named it. */
  readonly path: string
  readonly env: Readonly<Record<string, string | undefined>>
}
