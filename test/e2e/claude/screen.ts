/** What the drawn screen of the client says: its input box and the dialogs that it may open before the first prompt. */

/** Answers whether the client shows its input box and no dialog. */
export function isReady(screen: string): boolean {
  return inputOf(screen) !== '' && screen.includes('bypass permissions on')
}

/** Answers whether the input box holds the line; one of some 800 characters or more is shown as `[Pasted text #1]`. */
export function isInInput(screen: string, line: string): boolean {
  const input = inputOf(screen)
  return input.includes(squeeze(line).slice(-40)) || input.includes('[Pastedtext#')
}

/** Answers whether the conversation above the input box shows the line as submitted. */
export function isEchoed(screen: string, line: string): boolean {
  const conversation = squeeze(
    screen
      .split(/^─{20,}.*$/m)
      .slice(0, -2)
      .join(''),
  )
  return conversation.includes(squeeze(`❯${line}`).slice(0, 40)) || conversation.includes('❯[Pastedtext#')
}

/** The dialog on the screen, if it is a known one: its text and the key that leads to our answer. */
export function dialogOf(screen: string): { text: string; key: 'Enter' | 'Down' } | undefined {
  for (const { question, answer } of DIALOGS) {
    const start = screen.search(question)
    if (start < 0) continue
    const text = screen.slice(start)
    const selected = /^\s*❯.*$/m.exec(text)?.[0]
    // Without a selection the dialog is only half drawn.
    return selected === undefined ? undefined : { text, key: answer.test(selected) ? 'Enter' : 'Down' }
  }
  return undefined
}

/** The default answer of some is to leave, and it differs by version: so the answer is looked for, not its number. */
const DIALOGS = [
  { question: /Try the new fullscreen renderer\?/, answer: /Not now/ },
  { question: /Quick safety check: Is this a project you created/, answer: /Yes, I trust/ },
  { question: /Detected a custom API key/, answer: /Yes/ },
  { question: /WARNING: Claude Code running in Bypass Permissions mode/, answer: /Yes, I accept/ },
]

/**
 * The content of the input box, blanks removed: it stands between the last two rules of the screen. Empty while a
 * frame is half drawn; without the look at its `❯` the conversation above was taken for the box.
 */
function inputOf(screen: string): string {
  const box = squeeze(screen.split(/^─{20,}.*$/m).at(-2) ?? '')
  return box.startsWith('❯') ? box : ''
}

function squeeze(text: string): string {
  return text.replaceAll(/\s/g, '')
}
