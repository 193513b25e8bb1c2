/**
 * Asks the DHT again while a torrent is alone. Two peers that start at the same time both look up before either has
 * announced itself; torrent-discovery asks again only after a quarter of an hour. Called by torrent.ts.
 */

const FIRST_MS = 500
/** Doubled up to here: a lonely peer costs the DHT one lookup a minute. */
const LONGEST_MS = 60_000

/** What is asked for. */
export interface LonelyPeer {
  dht: {
    lookup (infoHash: string, cb: () => void): void
    announce (infoHash: string, port: number): void
  }
  infoHash: string
  /** where this peer listens */
  port: number
  isAlone: () => boolean
}

/** Looks up and announces after ½, 1, 2 … seconds, then every minute, whenever `isAlone`. Returns what ends it. */
export function announceWhileAlone ({ dht, infoHash, port, isAlone }: LonelyPeer): () => void {
  let isEnded = false
  let delay = FIRST_MS
  let timer = setTimeout(again, delay).unref()
  function again (): void {
    // an announcement alone goes to the nodes of the last lookup and brings no peers
    if (isAlone()) dht.lookup(infoHash, () => { if (!isEnded) dht.announce(infoHash, port) })
    delay = Math.min(delay * 2, LONGEST_MS)
    timer = setTimeout(again, delay).unref()
  }
  return () => {
    isEnded = true
    clearTimeout(timer)
  }
}
