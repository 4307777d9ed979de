/** Where to cut a text so that no character is cut in two: at `index`, or one before it. */
export function wholeCharacters(text: string, index: number): number {
  const code = text.charCodeAt(index)
  return index < text.length && code >= 0xdc_00 && code <= 0xdf_ff ? index - 1 : Math.min(index, text.length)
}
