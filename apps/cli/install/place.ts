import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** The files that an installation touches; `configDir` is also the key of its record. */
export type Places = { configDir: string; settings: string; config: string; record: string }

/** Where this user's client keeps its settings and its user-scope servers, and where we keep our record. */
export function toPlaces(home: string, env: NodeJS.ProcessEnv): Places {
  const moved = env.CLAUDE_CONFIG_DIR ? resolve(env.CLAUDE_CONFIG_DIR) : undefined
  const configDir = moved ?? join(home, '.claude')
  // The client still prefers this name of its early days where the file exists (seen with 2.1.330).
  const legacy = join(configDir, '.config.json')
  return {
    configDir,
    settings: join(configDir, 'settings.json'),
    config: existsSync(legacy) ? legacy : join(moved ?? home, '.claude.json'),
    record: join(home, '.claude-peers', 'install.json'),
  }
}
