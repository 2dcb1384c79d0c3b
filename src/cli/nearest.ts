/** What a wrong word was probably meant to be. Loads the settings room on demand, because only mistakes need it. */
export async function nearest(word: string, candidates: Iterable<string>): Promise<string | undefined> {
  const { suggest } = await import('#config')
  return suggest(word, candidates)
}
