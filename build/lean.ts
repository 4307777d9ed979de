import { isBuiltin } from 'node:module'
import type { Plugin } from 'rolldown'

/** What `ws` loads for addresses that we never give it: 2 MB. */
const RARE = new Set(['node:https', 'node:tls'])
const PREFIX = '\0builtin:'

/**
 * For ES modules that are to start soon and stay small. Node's modules are taken as `require` gives them: an ES module that
 * imports `node:http` calls all of its getters, and one of them loads undici (7 MB, 40 ms). And what is no ASCII is
 * written as an escape, as V8 else keeps the whole source in two bytes a character.
 */
export const lean: Plugin = {
  name: 'lean',
  resolveId(id) {
    // The bundler's own runtime makes `require` of this one.
    if (!isBuiltin(id) || id === 'node:module') return undefined
    const name = id.startsWith('node:') ? id : `node:${id}`
    return { id: PREFIX + name, moduleSideEffects: false }
  },
  load(id) {
    if (!id.startsWith(PREFIX)) return undefined
    const name = id.slice(PREFIX.length)
    const load = `process.getBuiltinModule('${name}')`
    const code = RARE.has(name) ? `new Proxy({}, { get: (_, key) => ${load}[key] })` : load
    return { code: `module.exports = ${code}`, moduleType: 'js' }
  },
  // Not when a chunk is rendered: what is written then is printed once more, with the letters back in it.
  generateBundle(_, bundle) {
    for (const one of Object.values(bundle)) {
      if (one.type === 'chunk') one.code = one.code.replaceAll(/[^\0-\x7f]/g, toEscape)
    }
  },
}

const toEscape = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
