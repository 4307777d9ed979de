/**
 * Who sends what waits in the spool, so that nothing is stranded there:
 *
 * 1. A sender sends its own: the same Claude process, or the same seat (a session that was resumed, or that succeeded
 *    to it), as the seat that it has now. The person's goes as the person, whoever sends it.
 * 2. What a process left that has ended is sent by whoever is there, with the key in the entry: of several sessions whose
 *    hub is there, the one with the lowest number.
 * 3. Without a key, or where the hub does not take it any more (a successor has had the seat): by a session of the same
 *    repository root, as itself; where none lives, and the sender's Claude process has ended as well, by whoever is
 *    there, as the seat that the hub gives for the sender's registration. That one names no process, so that the seat
 *    is nobody's live one, and waits for its next session.
 *
 * What nobody may send so (its writer lives, and is cut off itself) waits, and is told of as too old in the end.
 */
import { isCutOff, listCards, listLiveCards, type Card } from '#machine/cards'
import type { Config } from '#machine/config'
import {
  canSee,
  isKnownToHaveEnded,
  isKnownToRun,
  isIdentical,
  ownIdentity,
  toLabel,
  type ProcessIdentity,
} from '#machine/processes'
import { isSameSender, type Entry, type Sender } from '#machine/spool'
import { readUserKey, takeUserSeat } from '#machine/user-seat'
import type { SendInput, Sent } from '#router/shapes/messages'
import { connect } from './connect.ts'
import type { Speaker } from './drain.ts'
import type { Endpoint } from './endpoint.ts'
import { judge } from './verdict.ts'

/** The session or person that drains. */
export type Self = { sender: Sender; send: Speaker }

export type SpeakerOptions = {
  config: Config
  /** Where the hub is, and the token of this machine. */
  locate: () => Promise<Endpoint>
  /** Who drains, as of now; `undefined` for one without a seat. */
  self: () => Self | undefined
}

/** Makes the choice of who sends an entry, by the rule above. */
export function createSpeakers({ config, locate, self }: SpeakerOptions) {
  return function speakerOf({ sender, by }: Entry): Speaker | undefined {
    const own = self()
    if (own && isSameSender(own.sender, sender)) return own.send
    const me = ownIdentity()
    const others = listLiveCards(config.paths.sessions).filter((card) => !isIdentical(card.mcp, me))
    const isSession = own?.sender.registration.kind === 'session'
    const isFirst = others
      .filter((card) => card.hubUrl === config.brokerUrl && !isCutOff(config.paths.sessions, card))
      .every((card) => isSession && isBefore(me, card.mcp))
    if (sender.registration.kind === 'user') return isFirst || !isSession ? sendAsUser : undefined
    // It comes by itself.
    if (isKnownToRun(by) || others.some((card) => isOf(sender, card))) return undefined
    const { root } = sender.registration
    const isHeir = isSession && own.sender.registration.root === root
    if (!isFirst && !isHeir) return undefined
    const hasHeir = others.some((card) => card.root === root)
    const inherit: Speaker | undefined = isHeir ? own.send : hasHeir ? undefined : toRegistered(sender)
    return sender.key === undefined ? inherit : withKey(sender.key, inherit)
  }

  function withKey(key: string, otherwise: Speaker | undefined): Speaker {
    return async (input) => {
      try {
        return await as(key, (hub) => hub.messages.send.mutate(input))
      } catch (cause) {
        if (judge(cause) !== 'unknown' || !otherwise) throw cause
        return otherwise(input)
      }
    }
  }

  function toRegistered({ key, registration }: Sender): Speaker | undefined {
    const { process: claude, ...rest } = registration
    if (claude && !hasEnded(claude)) return undefined
    return async (input) => {
      const seat = await as(key, (hub) => hub.peers.register.mutate(rest))
      return as(seat.key, (hub) => hub.messages.send.mutate(input))
    }
  }

  /** Of a process that cannot be seen from here, only once its card is gone. */
  function hasEnded(claude: ProcessIdentity): boolean {
    if (canSee(claude)) return isKnownToHaveEnded(claude)
    return listCards(config.paths.sessions).every((card) => !isIdentical(card.claude, claude))
  }

  async function sendAsUser(input: SendInput): Promise<Sent> {
    const known = readUserKey(config)
    const key = await as(known, (hub) => takeUserSeat(hub, config, known))
    return as(key, (hub) => hub.messages.send.mutate(input))
  }

  async function as<T>(
    key: string | undefined,
    work: (hub: ReturnType<typeof connect>['hub']) => Promise<T>,
  ): Promise<T> {
    const client = connect({ endpoint: async () => ({ ...(await locate()), key }) })
    try {
      return await work(client.hub)
    } finally {
      await client.close()
    }
  }
}

const isOf = ({ peerId, registration }: Sender, card: Card) =>
  card.peerId === peerId ||
  (registration.process !== undefined && isIdentical(card.claude, registration.process))

/** Containers have equal numbers, and all must agree on who is first. */
const isBefore = (one: ProcessIdentity, other: ProcessIdentity) =>
  one.pid < other.pid ||
  (one.pid === other.pid && toLabel(one.pid, one.namespace) < toLabel(other.pid, other.namespace))
