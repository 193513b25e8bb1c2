/** Remembers which addresses were called in vain, and why, for `torrent.explain`. Called by dialling.ts. */
import type { FailedCall } from '../explain/situation.ts'
import { errnoOf } from '../system/io-errors.ts'
import { kindOf } from '../discovery/source-answers.ts'

/** Addresses that are remembered, the latest ones. */
const MAX_CALLS = 32

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refuses the connection, so nobody listens on that port',
  ETIMEDOUT: 'does not answer',
  EHOSTUNREACH: 'cannot be reached: there is no route to it',
  ENETUNREACH: 'cannot be reached: this machine has no network to it',
  ECONNRESET: 'ended the connection before it had answered as a peer of this task'
}

/** The failed calls of one torrent. */
export class FailedCalls {
  readonly #byAddress = new Map<string, FailedCall>()

  /** @param error of the connection; undefined: it ended without one */
  add (address: string, source: string | null, wasConnected: boolean, error?: Error): void {
    const code = errnoOf(error) ?? ''
    const silent = wasConnected
      ? 'accepts the connection, but does not answer as a peer of this task: perhaps another program listens on that port'
      : 'does not answer'
    const reason = REASONS[code] ?? (code === '' ? silent : `cannot be reached (${code})`)
    this.#byAddress.delete(address)
    this.#byAddress.set(address, { address, source: kindOf(source), reason })
    if (this.#byAddress.size > MAX_CALLS) this.#byAddress.delete(this.#byAddress.keys().next().value!)
  }

  /** The peer at this address has answered. */
  answered (address: string): void { this.#byAddress.delete(address) }

  /** The latest first. */
  get all (): FailedCall[] { return [...this.#byAddress.values()].toReversed() }
}
