/** What an onlooker outside of every killed process can know, and what must hold of it. */
export type Ledger = ReturnType<typeof createLedger>

export type Verdict = {
  /** Messages whose sender was answered, with a number or that they are kept. */
  answered: number
  /** Messages of these that no context got, by their text. */
  lost: string[]
  /** Messages that came into a context more than once without the mark. */
  unmarked: string[]
  /** Messages that came into a context for the first time after a later one of the same pair. */
  disordered: string[]
  /** Texts that were stored as two messages. */
  doubled: string[]
  /** Appearances that said they may be repeats. */
  again: number
}

type Appearance = { id: number; text: string; again: boolean }

/** A text that tells its pair and its place in it. */
export const toText = (from: string, to: string, number: number) => `[${from}>${to}#${number}]`

export function createLedger() {
  const answered = new Map<string, number>()
  const kept = new Set<string>()
  const seen: Appearance[] = []
  return {
    /** The hub has answered a send: from here on the message must never be lost. */
    answer(text: string, id: number) {
      const before = answered.get(text)
      if (before !== undefined && before !== id)
        throw new Error(`${text} was answered as ${before} and ${id}`)
      answered.set(text, id)
    },
    /** The sender was told that its message is kept, and sent later: it has no number yet, and must never be lost. */
    keep: (text: string) => void kept.add(text),
    /** A model got this text; gives the messages in it. */
    show(context: string): Appearance[] {
      const found = [...context.matchAll(MESSAGE)].map(([, id, attributes, text]) => ({
        id: Number(id),
        text: text!,
        again: attributes!.includes('redelivered='),
      }))
      seen.push(...found)
      return found
    },
    judge(): Verdict {
      const acknowledged = [...new Set([...answered.keys(), ...kept])]
      const first = new Map<string, Appearance>()
      for (const one of seen) if (!first.has(one.text)) first.set(one.text, one)
      const unmarked = seen.filter((one) => !one.again).map((one) => one.text)
      return {
        answered: acknowledged.length,
        lost: acknowledged.filter((text) => !first.has(text)),
        unmarked: unmarked.filter((text, at) => unmarked.indexOf(text) !== at),
        disordered: findDisordered([...first.keys()]),
        doubled: seen.filter((one) => idOf(one, first, answered) !== one.id).map((one) => one.text),
        again: seen.filter((one) => one.again).length,
      }
    },
  }
}

const MESSAGE = /<peer-message id="(\d+)"([^>]*)>\n(\[[^\n\]]+\])/g

function idOf({ text }: Appearance, first: Map<string, Appearance>, answered: Map<string, number>): number {
  return answered.get(text) ?? first.get(text)!.id
}

function findDisordered(texts: string[]): string[] {
  const latest = new Map<string, number>()
  return texts.filter((text) => {
    const [, pair, number] = /^\[(.+)#(\d+)\]$/.exec(text)!
    const before = latest.get(pair!) ?? 0
    latest.set(pair!, Math.max(before, Number(number)))
    return Number(number) < before
  })
}
