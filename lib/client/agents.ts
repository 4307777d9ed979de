import type { Agent } from 'node:http'

/** Kept connections, of each protocol that was asked for. */
export type Agents = {
  of(url: string): Agent
  /** Closes those that no call uses now. */
  drop(): void
  close(): void
}

/** Makes them; TLS, which costs some 10 ms to load, is loaded for the first URL that needs it. */
export function createAgents(): Agents {
  const made = new Map<string, Agent>()
  const make = (name: 'node:https' | 'node:http') => {
    const { Agent } = process.getBuiltinModule(name)
    return new Agent({ keepAlive: true, maxSockets: 64 })
  }
  return {
    of(url) {
      const name = url.startsWith('https:') ? 'node:https' : 'node:http'
      const agent = made.get(name) ?? make(name)
      made.set(name, agent)
      return agent
    },
    drop() {
      for (const agent of made.values()) {
        for (const socket of Object.values(agent.freeSockets).flat()) socket?.destroy()
      }
    },
    close() {
      for (const agent of made.values()) agent.destroy()
    },
  }
}
