/** Results of other peers that were found wrong during a run, and whose they were. */
import type { CheckedReport } from '../../session/events.ts'
import { nameOfKey } from '../output/keys.ts'
import { escapeText, plural } from '../output/format.ts'

/** Peers that are counted: anybody may come back under another name. */
const MAX_PEERS = 1_000
/** Of these, the worst are named. */
const MAX_NAMED = 3

/** Counts them. */
export class WrongResults {
  readonly #byPeer = new Map<string, number>()
  #count = 0

  /** A result was checked. */
  checked (report: CheckedReport): void {
    if (report.right) return
    this.#count++
    for (const peer of whose(report)) {
      const before = this.#byPeer.get(peer) ?? 0
      if (before > 0 || this.#byPeer.size < MAX_PEERS) this.#byPeer.set(peer, before + 1)
    }
  }

  /** How many; null: none. */
  get counted (): string | null {
    if (this.#count === 0) return null
    return `${plural(this.#count, 'wrong result')} of ${plural(this.#byPeer.size, 'peer')} found`
  }

  /** How many, and whose; null: none. */
  get summary (): string | null {
    if (this.#count === 0) return null
    const worst = [...this.#byPeer].toSorted(([, a], [, b]) => b - a)
    const named = worst.slice(0, MAX_NAMED).map(([peer, wrong]) => `${peer}: ${wrong}`)
    return `${this.counted!} (${[...named, ...(worst.length > MAX_NAMED ? ['…'] : [])].join(', ')})`
  }
}

/** Whose result it was: the key that attested it, or the peers that sent it. */
export function whose ({ peers = [], ...report }: CheckedReport): string[] {
  return peers.length > 0 ? peers.map(peer => escapeText(peer)) : [nameOfKey(report)]
}
