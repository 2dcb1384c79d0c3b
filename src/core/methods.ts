/** The full names of all methods, without the leading slash. The contract is loaded when it is asked: most commands do without it. */
export async function methodNames(): Promise<readonly string[]> {
  const { methods } = await import('@portcullis/contract')
  return [...methods.keys()].map((path) => path.slice(1))
}

/** The methods whose audit mode is not `required`, by their mode (SPEC L7). */
export async function auditModes(): Promise<Readonly<Record<string, readonly string[]>>> {
  const { methods } = await import('@portcullis/contract')
  const of = (mode: string): readonly string[] =>
    [...methods.values()].filter(({ audit }) => audit === mode).map(({ path }) => path.slice(1))
  return { best_effort: of('best_effort'), required_offbox: of('required_offbox') }
}
