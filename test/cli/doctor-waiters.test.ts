import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { startSession } from '../harness/session.ts'
import { waitFor } from '../harness/wait.ts'
import { openPatient, type Patient } from './doctor.ts'

const waking = async ({ doctor }: Patient) => (await doctor()).lines.filter(({ about }) => about === 'waking')

describe('the doctor on what mail can wake', () => {
  test('names the sessions with a waiter, and those without one', async () => {
    await using patient = await openPatient()
    const { home } = patient
    await using api = await startSession(home, { cwd: await home.project('api') })
    await using _web = await startSession(home, { cwd: await home.project('web') })
    const waiter = api.waiter()
    await waitFor(() => api.waiterPid(), 'the waiter to take its place')
    expect(await waking(patient)).toEqual([
      { about: 'waking', state: 'ok', says: 'mail wakes api' },
      { about: 'waking', state: 'unknown', says: expect.stringMatching(/^no waiter stands for web: /) },
    ])
    await api.stopMcp()
    await waiter
  })

  test('says what to do where no FIFO can be made, and the sender is told that nothing wakes', async () => {
    await using patient = await openPatient()
    const { home } = patient
    const programs = join(home.path, 'no-fifo')
    await mkdir(programs)
    await writeFile(join(programs, 'mkfifo'), '#!/bin/sh\nexit 1\n')
    await chmod(join(programs, 'mkfifo'), 0o755)
    const env = { PATH: `${programs}:${home.env['PATH']}` }
    await using api = await startSession(home, { cwd: await home.project('api'), env })
    expect(await api.waiter('UserPromptSubmit')).toMatchObject([{ code: 0 }])
    await api.hook('UserPromptSubmit', { transcript_path: join(home.path, 'transcript.jsonl') })
    await api.hook('Stop')
    const sent = await waitFor(async () => {
      const { stdout } = await home.cli(['send', '--fyi', 'api', `${Math.random()}`])
      const { stdout: shown } = await home.cli(['peers'])
      return shown.includes('api@laptop: idle, mail does not wake it') && stdout
    }, 'the hub to know what it does')
    expect(sent).toContain('arrives at its next tool call or prompt')
    expect((await home.cli(['send', 'api', 'hello'])).stdout).toContain(
      'at its next prompt, as mail cannot wake it',
    )
    expect(await waking(patient)).toEqual([
      {
        about: 'waking',
        state: 'fix',
        says: expect.stringMatching(/sessions takes no FIFO, so mail cannot wake api: /),
      },
    ])
  })

  test('misses mkfifo', async () => {
    await using patient = await openPatient()
    const bin = join(patient.home.path, 'bin')
    const fixes = await patient.fixes({ PATH: bin })
    expect(fixes).toContainEqual(
      expect.objectContaining({ says: expect.stringContaining('no mkfifo is on this PATH') }),
    )
  })

  test.each<[string, (hooks: { command: string; async?: boolean }[]) => void, RegExp]>([
    ['is missing', (hooks) => void hooks.pop(), /^one of Stop is not registered\.$/],
    [
      'holds the turn',
      (hooks) => void delete hooks[1]!.async,
      /^they are not as this version writes them\.$/,
    ],
  ])('sees a waiter that %s, and its advice helps', async (_, change, says) => {
    await using patient = await openPatient()
    await patient.editSettings(({ hooks }) => change(hooks['Stop']![0]!.hooks))
    const fixes = await patient.fixes()
    expect(fixes).toMatchObject([{ about: 'hooks', says: expect.stringMatching(says) }])
    await patient.follow(fixes[0]!)
    expect(await patient.fixes()).toEqual([])
  })
})
