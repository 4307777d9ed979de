/** The seed that a variable names, for the same chances again; `undefined` where it is not set. Throws for any other word. */
export function toSeed(variable: string): number | undefined {
  const text = process.env[variable]
  if (!text) return undefined
  const seed = Number(text)
  if (!Number.isInteger(seed) || seed < 1) {
    throw new Error(`${variable} is a whole number above 0, not ${text}`)
  }
  return seed
}
