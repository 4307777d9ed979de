/** Loaded before the sources of a hub: gives it the commit queue that groups nothing. */
import { registerHooks } from 'node:module'

const url = new URL('commit-each.ts', import.meta.url).href
registerHooks({
  resolve: (specifier, context, next) =>
    specifier === './commit-queue.ts' ? { url, shortCircuit: true } : next(specifier, context),
})
