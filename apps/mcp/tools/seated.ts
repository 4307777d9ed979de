import { judge } from '#client/verdict'
import type { Link } from '../link.ts'

/** Works for a session that has its seat. A hub that does not know it (any more) is told who it is, and asked again. */
export async function asSeated<T>(link: Link, work: () => Promise<T>): Promise<T> {
  await link.seated()
  return work().catch(async (cause: unknown) => {
    if (judge(cause) !== 'unknown') throw cause
    await link.renew()
    return work()
  })
}
