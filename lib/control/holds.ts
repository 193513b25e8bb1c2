/** Why no work items start, and what becomes of those that run: by the user, by limits of the machine. Pure. */

/** A reason for which nothing starts. */
export interface Hold {
  /** a few words for people, such as `hours 22-7` */
  reason: string
  /** the running work items are suspended, or go on to their end */
  running: 'suspend' | 'finish'
}

/** All reasons at one time. */
export class Holds {
  readonly #bySource = new Map<string, readonly Hold[]>()
  readonly #changed: () => void
  #isFinishing = false
  #isStopped = false

  /** @param changed called after every change */
  constructor (changed: () => void) { this.#changed = changed }

  /** The reasons of one source, in place of the ones that it gave before. */
  set (source: string, holds: readonly Hold[]): void {
    const before = this.#bySource.get(source) ?? []
    const isSame = before.length === holds.length &&
      before.every(({ reason, running }, i) => reason === holds[i]!.reason && running === holds[i]!.running)
    if (isSame) return
    this.#bySource.set(source, holds)
    this.#changed()
  }

  /** Nothing else starts, whatever else holds; what runs goes on to its end. */
  set finishing (isFinishing: boolean) {
    if (isFinishing === this.#isFinishing) return
    this.#isFinishing = isFinishing
    this.#changed()
  }

  get finishing (): boolean { return this.#isFinishing }

  /** The client itself is about to be stopped (Ctrl-Z): everything is suspended. */
  set stopped (isStopped: boolean) {
    if (isStopped === this.#isStopped) return
    this.#isStopped = isStopped
    this.#changed()
  }

  get reasons (): string[] { return [...this.#bySource.values()].flat().map(({ reason }) => reason) }

  /** What is to be done with work items; null: nothing holds them. */
  get effect (): 'suspend' | 'finish' | null {
    if (this.#isStopped) return 'suspend'
    if (this.#isFinishing) return 'finish'
    const holds = [...this.#bySource.values()].flat()
    if (holds.length === 0) return null
    return holds.some(({ running }) => running === 'suspend') ? 'suspend' : 'finish'
  }
}
