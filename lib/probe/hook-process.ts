import { spawn } from 'node:child_process'

/** What a hook's command did; `code` is null when it was killed. */
export type HookRun = { code: number | null; stdout: string; stderr: string }

/**
 * Runs the command of a hook as Claude Code does: through `/bin/sh -c`, with this process as the shell's parent and the
 * event's JSON as its input. After `timeoutMs` its shell is killed and its output counts for nothing, as the client has it.
 */
export function runHook(
  command: string,
  { input, env, timeoutMs = 600_000 }: { input: object; env: NodeJS.ProcessEnv; timeoutMs?: number },
): Promise<HookRun> {
  return new Promise((resolve, reject) => {
    const child = spawn('/bin/sh', ['-c', command], {
      stdio: 'pipe',
      env,
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.on('error', reject)
    child.on('exit', (code) => {
      // What the shell had started may hold them for long.
      if (code === null) for (const output of [child.stdout, child.stderr]) output.destroy()
    })
    child.on('close', (code) => resolve({ code, stdout: code === null ? '' : stdout, stderr }))
    // The gate ends without reading its input.
    child.stdin.on('error', () => undefined)
    child.stdin.end(JSON.stringify(input))
  })
}

/** What the client would show its model of a hook's output, or `''`. */
export function toContext({ stdout }: HookRun): string {
  if (stdout === '') return ''
  const output = JSON.parse(stdout) as { hookSpecificOutput?: { additionalContext?: string } }
  return output.hookSpecificOutput?.additionalContext ?? ''
}
