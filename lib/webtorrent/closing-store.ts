/**
 * The order in which a task ends: work items first, then the store; and who comes next waits for it. Called by
 * torrent.ts.
 */
import { resolve } from 'node:path'
import type { ClosableStore, DestroyCallback } from './internals.ts'

/**
 * The store as WebTorrent sees it at the end: what it asks for is done after `closing`; `onClosed` hears of it first.
 */
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

/** Tasks of this process that are giving their folders back, whichever client they belong to. */
const ending = new Map<string, Promise<void>>()

/** A task's folder will be free once `closed` resolves. */
export function noteClosing (path: string, infoHash: string, closed: Promise<void>): void {
  const key = `${resolve(path)} ${infoHash}`
  const whole = Promise.all([ending.get(key), closed]).then(() => { if (ending.get(key) === whole) ending.delete(key) })
  ending.set(key, whole)
}

/**
 * Resolves when no task of this process is giving this folder back: whoever removes a task may add it again at once.
 */
export async function previousClosed (path: string, infoHash: string): Promise<void> {
  await ending.get(`${resolve(path)} ${infoHash}`)
}
