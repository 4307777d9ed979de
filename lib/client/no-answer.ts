/**
 * A call that the hub said nothing about: nobody answered, or not in time, or somebody else did, or it takes no calls
 * now. It may have been carried out all the same.
 */
export class NoAnswerError extends Error {
  override name = 'NoAnswerError'
}
