/** What `install` and `uninstall` refuse to do: the message names the file, the place in it and the way out. */
export class InstallError extends Error {
  override name = 'InstallError'
}

/** The error about a file that we cannot use; `next` is what the user does before the next run. */
export function refusal(problem: string, next: string, options?: ErrorOptions): InstallError {
  return new InstallError(`${problem}. It was left as it is: ${next}, then run this again.`, options)
}
