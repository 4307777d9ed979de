/** A slow and lossy way to a hub: what a packet lost is to TCP, a stall of all that comes behind it. */
import { connect, createServer, type Socket } from 'node:net'
import { createChance, type Chance } from '../crash/chance.ts'

type Options = { from: string; to: string; port: number; seed: number; delayMs: number; lossPercent: number }
const { from, to, port, seed, delayMs, lossPercent } = JSON.parse(process.argv[2]!) as Options
/** Linux repeats a lost packet after the round trip and at least 200 ms more, each time after twice as long. */
const FIRST_REPEAT_MS = 2 * delayMs + 200
const chance = createChance(seed)

createServer((client) => {
  const hub = connect({ host: to, port, noDelay: true })
  client.setNoDelay(true)
  relay(client, hub, chance.fork())
  relay(hub, client, chance.fork())
}).listen(port, from, () => process.send!('listening'))
process.once('disconnect', () => process.exit(0))

/** Passes bytes on in their order, each chunk late, and those behind a lost one no earlier than it. */
function relay(source: Socket, target: Socket, chance: Chance) {
  let due = 0
  const later = (act: () => void) => {
    due = Math.max(due, performance.now() + delayMs + toStall(chance))
    setTimeout(act, due - performance.now())
  }
  source.on('data', (chunk) => later(() => target.write(chunk)))
  source.on('end', () => later(() => target.end()))
  source.on('error', () => target.destroy())
  source.on('close', () => later(() => target.destroy()))
}

function toStall(chance: Chance): number {
  let stall = 0
  for (let repeat = FIRST_REPEAT_MS; chance.between(1, 100) <= lossPercent; repeat *= 2) stall += repeat
  return stall
}
