import type { Activity } from '#router/shapes/peers'

export type ActivityReport = {
  /** Tells what the session does now. */
  report(activity: Activity): void
  /** Tells it again, to a hub that may not know it. */
  renew(): void
}

/**
 * Tells the hub what its session does, one call at a time and the newest last: two calls on their way could overtake
 * each other. A call that fails is made again with the next report or renewal, and harms nobody meanwhile: a hub that
 * knows less says less.
 */
export function createActivityReport(tell: (activity: Activity) => Promise<unknown>): ActivityReport {
  let activity: Activity | undefined
  let underWay = false
  let again = false

  async function send() {
    if (!activity) return
    if (underWay) {
      again = true
      return
    }
    underWay = true
    again = false
    // A failure ends no more than itself: the next registration tells it anew.
    await tell(activity).catch(() => undefined)
    underWay = false
    if (again) void send()
  }

  return {
    report(given) {
      activity = given
      void send()
    },
    renew: () => void send(),
  }
}
