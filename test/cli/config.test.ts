import { chmod } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { createHome } from '../harness/home.ts'
import { openMachine, settingsOf, writeSettings } from './network.ts'

const TOKEN = '3c1f0e2d4b5a69788796a5b4c3d2e1f0'

describe.concurrent('config', () => {
  test('shows every value and where it came from, and no secret', async () => {
    await using laptop = await openMachine()
    await writeSettings(laptop, {
      token: TOKEN,
      host: 'ultra',
      hosts: ['ultra.example.ts.net'],
      notify_command: '/usr/bin/tell --topic secret-topic',
    })
    const env = { CLAUDE_PEERS_PORT: '7899', CLAUDE_PEERS_NOTIFY_COMMAND: '' }
    const { code, stdout, stderr } = await laptop.cli(['config'], { env })
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout.split('\n')).toEqual([
      'local: own hub at http://127.0.0.1:7899',
      'bind               127.0.0.1  (default)',
      'port               7899  (environment CLAUDE_PEERS_PORT)',
      'database           ~/.claude-peers.db  (default)',
      'broker_url         http://127.0.0.1:7899  (default)',
      'token              3c1f…  (~/.claude-peers.json line 2)',
      'host               ultra  (~/.claude-peers.json line 3)',
      'hosts              ultra.example.ts.net  (~/.claude-peers.json line 4)',
      'notify_command     /usr/bin/tell …  (~/.claude-peers.json line 7)',
      'expire_after_days  7  (default)',
      '',
    ])
  })

  test('as JSON has the same, and of a short secret nothing', async () => {
    await using laptop = await openMachine()
    await writeSettings(laptop, { token: 'short' })
    const { stdout } = await laptop.cli(['config', '--json'], {
      env: { CLAUDE_PEERS_NOTIFY_COMMAND: 'T=secret x' },
    })
    expect(stdout).not.toMatch(/short|secret/)
    expect(JSON.parse(stdout)).toMatchObject({
      file: settingsOf(laptop),
      settings: {
        token: { value: '…', origin: '~/.claude-peers.json line 2' },
        notify_command: { value: '…', origin: 'environment CLAUDE_PEERS_NOTIFY_COMMAND' },
        hosts: { value: [], origin: 'default' },
      },
      warnings: [],
    })
  })

  test.each([
    [{ broker_url: 'http://studio:7899' }, 'joined: hub at http://studio:7899'],
    [{ bind: '::1' }, 'local: own hub at http://[::1]:7899'],
    [
      { bind: 'fd7a::1' },
      'hub for other machines at http://[fd7a::1]:7899, and for this one at http://127.0.0.1:7899',
    ],
    [
      { bind: 'any' },
      'hub for other machines at port 7899 of every address, and for this one at http://127.0.0.1:7899',
    ],
    [
      { bind: '100.64.0.1', broker_url: 'http://100.64.0.1:7899', token: TOKEN, host: 'ultra' },
      'hub for other machines at http://100.64.0.1:7899, and for this one at http://127.0.0.1:7899',
    ],
  ])('says which mode %j is', async (settings, mode) => {
    await using laptop = await openMachine()
    await writeSettings(laptop, settings)
    const { stdout } = await laptop.cli(['config'], { env: { CLAUDE_PEERS_PORT: '' } })
    expect(stdout.split('\n')[0]).toBe(mode)
  })

  test('warns of a token that others can read', async () => {
    await using laptop = await openMachine()
    await writeSettings(laptop, { token: TOKEN })
    await chmod(settingsOf(laptop), 0o644)
    const { code, stdout } = await laptop.cli(['config'])
    expect([code, stdout]).toEqual([
      0,
      expect.stringContaining(
        'Others can read the token in ~/.claude-peers.json. Run: chmod 600 ~/.claude-peers.json\n',
      ),
    ])
    await writeSettings(laptop, { host: 'desk' })
    expect((await laptop.cli(['config'])).stdout).not.toContain('chmod')
  })

  test('tells what cannot be used instead', async () => {
    await using home = await createHome()
    await writeSettings(home, '{\n  "tokn": "secret-of-mine",\n  "port": "1"\n}')
    const { code, stdout, stderr } = await home.cli(['config'])
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/line 2: "tokn" is no setting\. Did you mean "token"\? .*line 3: "port": use /)
    expect(stderr).not.toContain('secret-of-mine')
  })
})
