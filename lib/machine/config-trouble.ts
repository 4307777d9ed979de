/**
 * What is wrong with the settings, each problem with its line and the fix. Values are never quoted, as any may be a
 * secret. Only a file that cannot be used is read with a parser that knows lines.
 */
import {
  getNodeValue,
  findNodeAtLocation,
  parseTree,
  printParseErrorCode,
  type Node,
  type ParseError,
} from 'jsonc-parser'
import type { z } from 'zod'
import { suggest } from './suggest.ts'
import { fileShape, SETTINGS, VARIABLE, type Setting } from './settings.ts'

/** How the file of settings is told; it is always there. */
export const FILE = '~/.claude-peers.json'

/** Every problem of the file's text, in the order of its lines. */
export function explainFile(text: string): string[] {
  const errors: ParseError[] = []
  const root = parseTree(text, errors, { disallowComments: true, allowTrailingComma: false })
  const syntax = toSyntaxProblems(text, errors)
  const isReadable = errors.every((error) => isHarmless(text, error))
  const found = [...syntax, ...(root && isReadable ? [...toDuplicates(root), ...toMisfits(root)] : [])]
  if (found.length === 0) return [`${FILE} is not valid JSON. Mend it or remove it.`]
  const told = found
    .toSorted((one, other) => one.at - other.at)
    .map(({ at, says }) => `${FILE} line ${toLine(text, at)}: ${says}`)
  return [...new Set(told)]
}

/** Every problem of the variables. */
export function explainVariables({ issues }: z.ZodError): string[] {
  return issues.map(({ path, message }) => `${VARIABLE[path[0] as Setting]}: ${message}.`)
}

/** The line of each key of a file that can be used, from 1. */
export function toLines(text: string): Map<string, number> {
  const keys = parseTree(text)?.children?.map((property) => property.children![0]!) ?? []
  return new Map(keys.map((key) => [String(key.value), toLine(text, key.offset)]))
}

/** `at`: the offset in the text. */
type Problem = { at: number; says: string }

/** One that says what to write instead; the parser finds more behind the first that it cannot get over. */
function toSyntaxProblems(text: string, errors: ParseError[]): Problem[] {
  const harmless = errors.filter((error) => isHarmless(text, error))
  const first = errors.find((error) => !isHarmless(text, error))
  const problems = harmless.map((error) =>
    isComment(error)
      ? { at: error.offset, says: 'JSON has no comments. Take this one out.' }
      : { at: commaBefore(text, error.offset), says: 'take out the comma after the last value.' },
  )
  if (!first) return problems
  const reason = REASONS[printParseErrorCode(first.error)] ?? 'something is wrong here'
  return [
    ...problems,
    { at: first.offset, says: `this is not valid JSON: ${reason}. Mend it or remove the file.` },
  ]
}

const REASONS: Record<string, string> = {
  InvalidSymbol: 'texts stand in double quotes',
  InvalidNumberFormat: 'a number is written wrong',
  PropertyNameExpected: 'a key in double quotes is missing',
  ValueExpected: 'a value is missing',
  ColonExpected: 'a colon is missing after the key',
  CommaExpected: 'a comma is missing before it',
  CloseBraceExpected: 'the } at the end is missing',
  CloseBracketExpected: 'the ] at the end of a list is missing',
  EndOfFileExpected: 'more follows after the end',
  UnexpectedEndOfComment: 'a comment has no end, and JSON has none',
  UnexpectedEndOfString: 'a text has no closing quote',
  InvalidUnicode: 'a \\u needs four hexadecimal digits',
  InvalidEscapeCharacter: 'a text has a \\ before a character that needs none; write \\\\ for one',
  InvalidCharacter: 'a text has a line break or control character in it',
}

/** Comments, and commas before a closing sign: the rest is read as it is meant. */
function isHarmless(text: string, error: ParseError): boolean {
  if (isComment(error)) return true
  const isOpen = /^(PropertyName|Value)Expected$/.test(printParseErrorCode(error.error))
  return isOpen && /[}\]]/.test(text.charAt(error.offset)) && commaBefore(text, error.offset) >= 0
}

const isComment = ({ error }: ParseError) => printParseErrorCode(error) === 'InvalidCommentToken'

/** Where the comma stands that only spaces and comments part from an offset; -1 without one. */
function commaBefore(text: string, offset: number): number {
  const match = /,(?:\s|\/\/[^\n]*\n|\/\*[^]*?\*\/)*$/.exec(text.slice(0, offset))
  return match ? match.index : -1
}

function toDuplicates({ type, children = [] }: Node): Problem[] {
  if (type !== 'object') return []
  const keys = children.map((property) => property.children![0]!)
  return keys
    .filter((key, index) => keys.findIndex((one) => one.value === key.value) < index)
    .map((key) => ({ at: key.offset, says: `${toName(key.value)} stands here a second time. Remove one.` }))
}

/** What the shapes have against it. */
function toMisfits(root: Node): Problem[] {
  const parsed = fileShape.safeParse(getNodeValue(root))
  if (parsed.success) return []
  return parsed.error.issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => toStranger(root, key))
    if (issue.path.length === 0)
      return [{ at: root.offset, says: 'settings stand in an object, such as {"host": "studio"}.' }]
    const node = findNodeAtLocation(root, issue.path as (string | number)[])
    const next =
      /^(port|expire_after_days)$/.test(String(issue.path[0])) && node?.type === 'string'
        ? ' Write it without quotes.'
        : ''
    return [{ at: node?.offset ?? root.offset, says: `"${String(issue.path[0])}": ${issue.message}.${next}` }]
  })
}

function toStranger(root: Node, key: string): Problem {
  const property = root.children?.find((one) => one.children![0]!.value === key)
  const meant = suggest(key, SETTINGS)
  const next = meant ? `Did you mean "${meant}"?` : `There are ${SETTINGS.join(', ')}.`
  return { at: property?.offset ?? root.offset, says: `${toName(key)} is no setting. ${next}` }
}

/** A long key may be a secret in the wrong place. */
const toName = (key: unknown): string =>
  typeof key === 'string' && /^[\w.$-]{1,24}$/.test(key) ? `"${key}"` : 'this key'

function toLine(text: string, offset: number): number {
  return text.slice(0, offset).split(/\r\n|\r|\n/).length
}
