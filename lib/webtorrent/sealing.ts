/**
 * Seals a task's torrent: makes an ordinary torrent of its finished files, seeded by the same client. Called by
 * torrent.ts.
 */
import { BitWorkerError } from '../base/errors.ts'
import { sealTask } from '../seal/seal.ts'
import { SealedStore } from '../seal/sealed-store.ts'
import type { Task } from '../task/task.ts'
import type { InternalClient } from './internals.ts'
import type { SealingOptions } from './options.ts'
import type { Torrent } from './public-types.ts'

/** Number of pieces kept in memory; each has up to 16 MiB. */
const CACHED_PIECES = 4

/** The part of ComputeTorrent that is needed here. */
interface SealableTorrent {
  readonly task: Task | null
  readonly client: InternalClient
  readonly announce: string[]
  readonly destroyed: boolean
  readonly _session: { seal (infoHash: string | null): void } | null
}

/** The sealed torrent of a task's torrent. */
export class Sealing {
  readonly #torrent: SealableTorrent
  readonly #folderOf: (task: Task) => string
  #sealed: Promise<Torrent> | null = null
  #abort = new AbortController()

  /** @param folderOf returns the folder of the files */
  constructor (torrent: SealableTorrent, folderOf: (task: Task) => string) {
    this.#torrent = torrent
    this.#folderOf = folderOf
  }

  /** See public-types.ts. */
  async seal (options: SealingOptions = {}): Promise<Torrent> {
    const sealed = this.#sealed ??= this.#seal(options)
    try {
      const torrent = await sealed
      if (!torrent.destroyed || this.#torrent.destroyed) return torrent
    } catch (err) {
      if (this.#sealed === sealed) this.#sealed = null
      throw err
    }
    // somebody has removed it
    if (this.#sealed === sealed) this.#sealed = null
    return this.seal(options)
  }

  /** The files change, or are removed: the sealed torrent is no longer seeded. */
  break (): void {
    this.#abort.abort()
    this.#abort = new AbortController()
    this.#torrent._session?.seal(null)
    this.#sealed?.then(torrent => { if (!torrent.destroyed) torrent.destroy() }, () => {})
    this.#sealed = null
  }

  async #seal (options: SealingOptions): Promise<Torrent> {
    const { task, destroyed } = this.#torrent
    if (destroyed) throw gone()
    if (task === null) {
      throw new BitWorkerError(
        'BW_ERR_NOT_A_TASK', 'usage', 'This is not a task, or its metadata has not arrived yet. Only a task can be sealed.'
      )
    }
    const { signal } = this.#abort
    // includes trackers that were added to the task's own
    const { announce } = this.#torrent
    const folder = this.#folderOf(task)
    const seal = await sealTask(task, folder, { ...options, announce, signal })
    const { client } = this.#torrent
    if (signal.aborted || this.#torrent.destroyed || client.destroyed) throw gone()
    const known = client.torrents.find(({ infoHash }) => infoHash === seal.infoHash)
    if (known !== undefined) {
      this.#torrent._session?.seal(seal.infoHash)
      return known as Torrent
    }
    const torrent = client.add(seal.torrentFile, {
      path: folder,
      preloadedStore: new SealedStore(seal, folder),
      // each byte was compared with its digest when it was sealed
      skipVerify: true,
      storeCacheSlots: CACHED_PIECES
    }) as Torrent
    await new Promise<void>((resolve, reject) => {
      torrent.once('ready', resolve)
      torrent.once('error', reject)
      torrent.once('close', () => { reject(gone()) })
    })
    this.#torrent._session?.seal(seal.infoHash)
    return torrent
  }
}

function gone (): BitWorkerError {
  return new BitWorkerError('BW_ERR_DESTROYED', 'usage', 'The torrent was removed, or lost a piece, before it was sealed.')
}
