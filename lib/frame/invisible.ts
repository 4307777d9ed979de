/**
 * Characters that show nothing or turn the direction of text: a known way to smuggle words past a reader. They are
 * taken by their Unicode property, so that none is forgotten. The price are those that scripts and emoji are written
 * with: each stays only where it changes what a reader sees, one at a time, so that none can carry hidden bytes.
 */

/** The blocks of the scripts in which a joiner changes the form of letters, from Arabic and those of India to Adlam. */
const BLOCKS =
  '\\u0600-\\u0dff\\u0f00-\\u109f\\u1780-\\u18af\\u1b00-\\u1b7f\\ua840-\\ua87f\\ua8e0-\\ua9ff\\uaa60-\\uaa7f\\ufb50-\\ufdff\\ufe70-\\ufefc\\u{10d00}-\\u{10d3f}\\u{11000}-\\u{116cf}\\u{1e900}-\\u{1e95f}'
const LETTER = `(?=[\\p{L}\\p{M}])[${BLOCKS}]`
const PICTURE = '\\p{Extended_Pictographic}'
const FLAGS = ['eng', 'sct', 'wls'].map((land) => toTags(`gb${land}`)).join('|')

/** Where one of them stays. Each begins with itself: what else stands before it is only looked at where it comes. */
const NEEDED = [
  // Persian and the scripts of India: between two letters, and a joiner also behind one, which shows its other form.
  `\\u200c(?<=${LETTER}\\u200c)(?=${LETTER})`,
  `\\u200d(?<=${LETTER}\\u200d)`,
  // Between the pictures of one.
  `\\u200d(?<=${PICTURE}[\\u{1f3fb}-\\u{1f3ff}]?\\ufe0f?\\u200d)(?=${PICTURE})`,
  // A picture in colours, or as a sign; a digit on a key.
  `[\\ufe0e\\ufe0f](?<=${PICTURE}.)`,
  '\\ufe0f(?<=[0-9#*].)(?=\\u20e3)',
  // The flags of England, Scotland and Wales, the only ones that are written with tags.
  `(?:${FLAGS})(?<=\\u{1f3f4}.{6})`,
  // Mongolian letters have variants.
  '[\\u180b-\\u180f](?<=[\\u1820-\\u18aa].)',
  // Signs that are drawn around or above the number or word that follows.
  '[\\u0600-\\u0605\\u06dd\\u0890\\u0891\\u08e2\\u{110bd}\\u{110cd}](?=\\p{Nd})',
  '\\u070f(?=\\p{scx=Syrc})',
].join('|')
const ANY = /[\p{Default_Ignorable_Code_Point}\p{Cf}]/u

/** Made when it is first needed: to read its properties takes a while, and most texts have none of these. */
let rule: RegExp | undefined

/** Takes out what shows nothing, or replaces it; what its script or its emoji needs stays. */
export function replaceInvisible(text: string, replace?: (found: string) => string): string {
  if (!ANY.test(text)) return text
  rule ??= new RegExp(`(${NEEDED})|${ANY.source}`, 'gu')
  if (!replace) return text.replaceAll(rule, '$1')
  return text.replaceAll(rule, (found, needed: string | undefined) => needed ?? replace(found))
}

/** Letters as the invisible tags that Unicode has for them, with the tag that ends them. */
function toTags(letters: string): string {
  return `${Array.from(letters, (letter) => `\\u{e00${letter.charCodeAt(0).toString(16)}}`).join('')}\\u{e007f}`
}
