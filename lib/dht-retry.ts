/**
 * Asks the DHT again while a torrent is alone. Two peers that start at the same time both look up before either has
 * announced itself; torrent-discovery asks again only after a quarter of an hour.
 */

const FIRST_MS = 1_000
/** Doubled up to here: a lonely peer costs the DHT one lookup a minute. */
const LONGEST_MS = 60_000

/**
 * Calls `announce` after 1, 2, 4 … seconds, then every minute, whenever `isAlone`. Returns what ends it.
 * @param announce looks the swarm up and announces this peer
 */
export function announceWhileAlone (isAlone: () => boolean, announce: () => void): () => void {
  let delay = FIRST_MS
  let timer = setTimeout(again, delay)
  timer.unref()
  function again (): void {
    if (isAlone()) announce()
    delay = Math.min(delay * 2, LONGEST_MS)
    timer = setTimeout(again, delay)
    timer.unref()
  }
  return () => { clearTimeout(timer) }
}
