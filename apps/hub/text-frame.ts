const FIN_TEXT = 0x81
/** A length up to here stands in the second byte, and up to there in two more; else in eight. */
const MAX_SHORT = 125
const MAX_MEDIUM = 0xff_ff

/** One whole text message of a server, unmasked (RFC 6455, 5.2), in one buffer: one write, and one for many sockets. */
export function toTextFrame(text: string): Buffer {
  const size = Buffer.byteLength(text)
  const head = size <= MAX_SHORT ? 2 : size <= MAX_MEDIUM ? 4 : 10
  const frame = Buffer.allocUnsafe(head + size)
  frame[0] = FIN_TEXT
  if (head === 2) frame[1] = size
  if (head === 4) {
    frame[1] = MAX_SHORT + 1
    frame.writeUInt16BE(size, 2)
  }
  if (head === 10) {
    frame[1] = MAX_SHORT + 2
    frame.writeBigUInt64BE(BigInt(size), 2)
  }
  frame.write(text, head)
  return frame
}
