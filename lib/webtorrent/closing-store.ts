/**
 * The order in which a task ends: work items first, then the store; a torrent that is added next waits for it. Called
 * by torrent.ts.
 */
import { resolve } from 'node:path'
import type { ClosableStore, DestroyCallback } from './internals.ts'

/**
 * Wraps the store for WebTorrent: its requests are executed after `closing`; `onClosed` is called before WebTorrent is.
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

/** Tasks of this process that are releasing their folders, of any client. */
const ending = new Map<string, Promise<void>>()

/** A task's folder will be free when `closed` resolves. */
export function noteClosing (path: string, infoHash: string, closed: Promise<void>): void {
  const key = `${resolve(path)} ${infoHash}`
  const whole = Promise.all([ending.get(key), closed]).then(() => { if (ending.get(key) === whole) ending.delete(key) })
  ending.set(key, whole)
}

/**
 * Resolves when no task of this process is releasing this folder: a task may be added again right after it was removed.
 */
export async function previousClosed (path: string, infoHash: string): Promise<void> {
  await ending.get(`${resolve(path)} ${infoHash}`)
}
