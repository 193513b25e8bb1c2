/** What strangers can make us say: trackers, peers. Each thing once, and not more of all than somebody would read. */
import { escapeText } from '../output/format.ts'

/** Remarks of an hour, and how many of the last ones are known again. */
const MAX_SHOWN = 20
const MAX_KNOWN = 200
const HOUR_MS = 3_600_000
const MAX_LENGTH = 500

/** Passes remarks on to `show`. */
export class Remarks {
  readonly #show: (text: string) => void
  readonly #now: () => number
  readonly #known = new Set<string>()
  #shown = 0
  #since: number

  /** @param now milliseconds on a steady clock */
  constructor (show: (text: string) => void, now: () => number = () => performance.now()) {
    this.#show = show
    this.#now = now
    this.#since = now()
  }

  /** @param topic what counts as the same; default: the text */
  add (text: string, topic: string = text): void {
    const now = this.#now()
    if (now - this.#since >= HOUR_MS) {
      this.#since = now
      this.#shown = 0
    }
    const key = topic.slice(0, MAX_LENGTH)
    if (this.#shown >= MAX_SHOWN || this.#known.has(key)) return
    this.#known.add(key)
    if (this.#known.size > MAX_KNOWN) this.#known.delete(this.#known.values().next().value!)
    this.#shown++
    this.#show(escapeText(text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}…` : text))
    if (this.#shown === MAX_SHOWN) this.#show('(no more of this is shown for an hour; --json lists all)')
  }
}
