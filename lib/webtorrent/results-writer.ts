/** Writes the results of a task (store/results-file.ts) before it is reported done. For session-mirror.ts. */
import type { KeyNames } from '../session/events.ts'
import type { ComputeStore } from '../store/compute-store.ts'
import type { KnownKey } from '../store/types.ts'
import type { PieceState } from '../verification/types.ts'
import type { InternalTorrent } from './internals.ts'

/** How pieces were accepted, where results are not verified. The order is that of the codes in memory. */
const ORIGINS = ['earlier', 'computed', 'downloaded'] as const

type Named = Pick<KeyNames, 'trustedKey'> & { key: string }

/** The part of ComputeTorrent that is used. */
export interface WrittenTorrent extends InternalTorrent {
  readonly _options: { readonly labels?: ReadonlyMap<string, string> }
  readonly _session: {
    readonly store: ComputeStore
    standing (piece: number): PieceState | null
    attestersOf (piece: number): Named[]
  } | null
}

/** What the user calls a key; else, what he calls the trusted key whose member it is. */
export function labelOf (
  labels: ReadonlyMap<string, string> | undefined, { key, trustedKey }: { key: string | null, trustedKey?: string }
): string | undefined {
  return labels?.get(key ?? '') ?? labels?.get(trustedKey ?? '')
}

/** The results of one torrent. */
export class ResultsWriter {
  readonly #torrent: WrittenTorrent
  readonly #origins: Uint8Array
  #hasNew = false
  #isWritten = false
  #writing: symbol | null = null

  constructor (torrent: WrittenTorrent, pieceCount: number) {
    this.#torrent = torrent
    this.#origins = new Uint8Array(pieceCount)
  }

  /** Where the stored piece comes from. */
  came (piece: number, origin: 'computed' | 'downloaded'): void {
    this.#origins[piece] = ORIGINS.indexOf(origin)
    this.#hasNew = true
  }

  /** A piece was lost: the files will be made again. */
  changed (): void {
    this.#isWritten = false
    this.#writing = null
  }

  /** Whether the results of the finished files are still to be written. */
  get isDue (): boolean {
    return !this.#isWritten && this.#torrent.files.every(file => 'isFinished' in file && file.isFinished === true)
  }

  /**
   * Writes them; then, unless something has changed meanwhile, calls `then`. A file that cannot be written is a
   * 'warning' of the torrent.
   */
  write (then: () => void): void {
    if (this.#writing !== null) return
    const writing = this.#writing = Symbol('writing')
    this.#write().catch((err: Error) => {
      if (this.#writing === writing && !this.#torrent.destroyed) this.#torrent.emit('warning', err)
    }).then(() => {
      if (this.#writing !== writing) return
      this.#writing = null
      this.#isWritten = true
      then()
      // thrown by a listener: it must not be swallowed
    }).catch((err: unknown) => { queueMicrotask(() => { throw err }) })
  }

  #named (attester: Named): KnownKey {
    const label = labelOf(this.#torrent._options.labels, attester)
    return { ...attester, ...(label !== undefined && { label }) }
  }

  async #write (): Promise<void> {
    const { _session: session } = this.#torrent
    // what an earlier run has written says more about its pieces
    if (session === null || (!this.#hasNew && await session.store.hasResults())) return
    const keys = new Map<string, KnownKey>()
    await session.store.writeResults(piece => {
      const state = session.standing(piece)
      if (state === null) return { accepted: ORIGINS[this.#origins[piece]!]! }
      const by = state === 'own' ? [] : session.attestersOf(piece)
      for (const attester of by) if (!keys.has(attester.key)) keys.set(attester.key, this.#named(attester))
      return { accepted: state, ...(by.length > 0 && { by: by.map(({ key }) => key) }) }
    }, () => keys.values())
  }
}
