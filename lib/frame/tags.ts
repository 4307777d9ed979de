/** A bracket and what is around it: space and slashes up to the name, the character before, the text after. */
export type Candidate = { lead: string; name: string; before: string; after: string }

/** Our tags, and those in which the client hands its model what the user, the system or a tool said. */
const COMPOUND =
  /^(?:peer-(?:mail|message)|antml|system[-_]|user-(?:prompt|memory)|local-command|command-(?:name|message|args|contents|std)|bash-(?:input|std)|ide_|task-notification|teammate-|tools?_|functions?_|persisted-output|new-diagnostics)|-hook$/u
/** Words that carry a role, but are words of code as well: they count when they are the whole name. */
const ROLE =
  /^(?:system|human|assistant|user|thinking|invoke|parameter|channel|important|instructions?|functions?|tools?|tasks?|commands?|hooks?)$/u
/** Components of these names are everyday code (`<User />`, `<Command>`). */
const COMPONENT = /^(?:User|Parameter|Channel|Instructions?|Functions?|Tools?|Tasks?|Commands?|Hooks?)$/u

/** Whether a reader would take this bracket for one of those tags. A type argument or a comparison is none. */
export function isFrameTag({ lead, name, before, after }: Candidate): boolean {
  const plain = name.normalize('NFKC').replaceAll(/\u200c|\u200d|[\ufe00-\ufe0f]/gu, '')
  const lower = plain.toLowerCase()
  if (COMPOUND.test(lower)) return true
  if (!ROLE.test(lower) || COMPONENT.test(plain)) return false
  if (/[/\\!?|／＼！？]/u.test(lead)) return true
  const isComparison = /\s/u.test(lead) && !/^\s*[/>＞﹥]/u.test(after)
  const isTypeArgument = /^[A-Z][a-z]+$/.test(plain) && /[\w$]/u.test(before)
  return !isComparison && !isTypeArgument
}
