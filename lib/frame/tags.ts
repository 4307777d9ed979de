/** A bracket and what is around it: space and slashes up to the name, the character before, the text after. */
export type Candidate = { bracket: string; lead: string; name: string; before: string; after: string }

// What a reader takes for one of these characters (https://www.unicode.org/reports/tr39/), and their wider twins.
const OPENING = '<＜﹤‹⟨〈〈❮❬❰˂ᐸᚲ⧼⦑≺⋖'
const CLOSING = '>＞﹥›⟩〉〉❯❭❱˃ᐳ⧽⦒≻⋗'
/** Quotation marks of many languages: only with a slash, or before a name that is no word, are they brackets. */
const QUOTES = '«《≪⟪'
const SLASHES = '/\\\\／＼∕⁄⧸∖⧵⧹﹨╱╲⟋⟍⁁᜵〳㇓㇔⼃⼂Ⳇノ丿丶'
const OTHERS = '!?|！？｜﹗﹖∣ǀ│ǃ'
/** A blank that is no white space to a program. */
const BLANK = '\\s\\u2800'

/** A bracket that a name follows, whatever space, slash or accent is between. */
const BRACKET = new RegExp(
  `([${OPENING}${QUOTES}])([${BLANK}${SLASHES}${OTHERS}\\p{M}]*)([^${BLANK}${OPENING}${CLOSING}${QUOTES}»》≫⟫${SLASHES}"'\`=(){}[\\],;|!?*&#]{1,96})`,
  'gu',
)
const SLASH = new RegExp(`[${SLASHES}${OTHERS}]`, 'u')
const ENDS_AT_ONCE = new RegExp(`^\\s*[${CLOSING}${SLASHES}]`, 'u')

/** Our tags, and those in which the client hands its model what the user, the system or a tool said. */
const COMPOUND =
  /^(?:peer-(?:mail|message)|antml|system[-_]|user-(?:prompt|memory)|local-command|command-(?:name|message|args|contents|std)|bash-(?:input|std)|ide_|task-notification|teammate-|tools?_|functions?_|persisted-output|new-diagnostics)|-hook$/u
/** Words that carry a role, but are words of code as well: they count when they are the whole name. */
const ROLE =
  /^(?:system|human|assistant|user|thinking|invoke|parameter|channel|important|instructions?|functions?|tools?|tasks?|commands?|hooks?)$/u
/** Components of these names are everyday code (`<User />`, `<Command>`). */
const COMPONENT = /^(?:User|Parameter|Channel|Instructions?|Functions?|Tools?|Tasks?|Commands?|Hooks?)$/u

/** Takes its bracket from each tag that a reader would take for one of those. Code passes unchanged. */
export function disarmTags(text: string): string {
  return text.replaceAll(
    BRACKET,
    (found, bracket: string, lead: string, name: string, at: number, whole: string) => {
      const end = at + found.length
      const candidate = {
        bracket,
        lead,
        name,
        before: whole.charAt(at - 1),
        after: whole.slice(end, end + 64),
      }
      return isFrameTag(candidate) ? `&lt;${found.slice(bracket.length)}` : found
    },
  )
}

/** Whether a reader would take this bracket for one of those tags. A type argument or a comparison is none. */
function isFrameTag({ bracket, lead, name, before, after }: Candidate): boolean {
  const plain = name.normalize('NFKD').replaceAll(/[\p{M}\p{Cf}]/gu, '')
  const lower = plain.toLowerCase()
  if (COMPOUND.test(lower)) return true
  if (!ROLE.test(lower) || COMPONENT.test(plain)) return false
  if (SLASH.test(lead)) return true
  if (QUOTES.includes(bracket)) return false
  const isComparison = /\s/u.test(lead) && !ENDS_AT_ONCE.test(after)
  const isTypeArgument = /^[A-Z][a-z]+$/.test(plain) && /[\w$]/u.test(before)
  return !isComparison && !isTypeArgument
}
