import { hubRouter } from './hub.ts'
import { machinesRouter } from './machines.ts'
import { mailboxRouter } from './mailbox.ts'
import { messagesRouter } from './messages.ts'
import { peersRouter } from './peers.ts'
import { router } from './trpc.ts'

/** The contract: everything a hub answers. */
export const appRouter = router({
  hub: hubRouter,
  machines: machinesRouter,
  peers: peersRouter,
  messages: messagesRouter,
  mailbox: mailboxRouter,
})

export type AppRouter = typeof appRouter
