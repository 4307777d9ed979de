import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { array, constantFrom, oneof, record, string, tuple } from 'fast-check'
import { expect } from 'vitest'
import { ConfigError, readConfig, VARIABLES } from '../../lib/machine/config.ts'
import { makeDirectory } from '../db/harness.ts'
import { fuzz } from './bound.ts'
import { anyBytes, anyJson, anyText, mutated } from './values.ts'

const SECRET = 'a-secret-of-the-settings'
const settings = {
  bind: '100.64.0.1',
  port: 7899,
  database: '/data/peers.db',
  broker_url: 'http://studio:7899',
  token: SECRET,
  host: 'laptop',
  hosts: ['studio'],
  notify_command: 'off',
}
const texts = oneof(
  mutated(settings).map((value) => JSON.stringify(value)),
  mutated(settings).map((value) => JSON.stringify(value, null, 2)),
  anyText,
)
const urls = tuple(constantFrom('http', 'https', 'ws', 'file', ''), anyText).map(
  ([kind, rest]) => `${kind}://${rest}`,
)
const variables = array(
  tuple(constantFrom(...VARIABLES), oneof(anyText, urls, anyJson.map(String), string())),
  { maxLength: 3 },
).map((pairs) => Object.fromEntries(pairs))

fuzz(
  'a settings file and variables of any content are settings, or an error that says what to do',
  record({ file: anyBytes(texts), env: variables }),
  ({ file, env }) => {
    using directory = makeDirectory()
    writeFileSync(join(directory.path, '.claude-peers.json'), file)
    try {
      const config = readConfig(env, directory.path)
      expect(() => new URL(config.brokerUrl)).not.toThrow()
      expect(config.host).toMatch(/\S/)
      expect(config.port).toBeGreaterThanOrEqual(0)
    } catch (cause) {
      expect(cause).toBeInstanceOf(ConfigError)
      expect((cause as Error).message).toMatch(/\S/)
      expect((cause as Error).message).not.toContain(SECRET)
    }
  },
)
