/** The part of the library that is used; it has no types of its own. */
declare module 'toasted-notifier' {
  type Notification = { title?: string | undefined; message?: string | undefined; timeout?: number }
  const notifier: {
    notify(notification: Notification, done: (cause: Error | string | null) => void): void
  }
  export default notifier
}
