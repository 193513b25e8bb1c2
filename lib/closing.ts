/** The order in which a task ends: work items first, then the store. Called by torrent.ts. */
import type { ClosableStore, DestroyCallback } from './webtorrent-internals.ts'

/** The store as WebTorrent sees it at the end: what it asks for is done after `closing`; `onClosed` hears of it first. */
export function closeAfter (closing: Promise<unknown>, store: ClosableStore, onClosed: () => void): ClosableStore {
  const after = (done: DestroyCallback) => (err?: Error | null): void => {
    onClosed()
    done(err)
  }
  return {
    close: done => { void closing.then(() => { store.close(after(done)) }) },
    destroy: done => { void closing.then(() => { store.destroy(after(done)) }) }
  }
}
