import type { Mail } from '../../lib/router/shapes/mailbox.ts'

/** A message as its recipient gets it, with nothing special about it but what is given. */
export const toMail = (changes: Partial<Mail> = {}): Mail => ({
  id: 1,
  kind: 'message',
  from: 'web@laptop',
  directory: '/src/web',
  text: 'hello',
  urgency: 'normal',
  replyTo: null,
  answers: null,
  replyBy: null,
  scope: null,
  sentAt: Date.now(),
  again: false,
  forPrevious: false,
  ...changes,
})
