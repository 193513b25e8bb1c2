/** The readers that wait for a piece. Used by piece-flow.ts and work-session.ts. */
export class PieceReaders {
  readonly #waiting = new Map<number, Set<() => void>>()

  /** Resolves when the state of the piece changes next. */
  async wait (index: number): Promise<void> {
    await new Promise<void>(resolve => {
      const waiting = this.#waiting.get(index) ?? new Set()
      this.#waiting.set(index, waiting.add(resolve))
    })
  }

  wake (index: number): void {
    const waiting = this.#waiting.get(index)
    this.#waiting.delete(index)
    for (const resolve of waiting ?? []) resolve()
  }

  wakeAll (): void {
    for (const index of this.#waiting.keys()) this.wake(index)
  }
}
