/**
 * Asks the DHT again while a torrent has no peers. Two peers that start at the same time both look each other up before
 * either has announced itself; torrent-discovery asks again only after 15 minutes. Called by torrent.ts.
 */

const FIRST_MS = 500
/** The interval doubles up to this: a peer without peers costs the DHT one lookup per minute. */
const LONGEST_MS = 60_000

/** The parameters of the lookups. */
export interface LonelyPeer {
  dht: {
    lookup (infoHash: string, cb: () => void): void
    announce (infoHash: string, port: number): void
  }
  infoHash: string
  /** the port that this peer listens on */
  port: number
  isAlone: () => boolean
}

/**
 * Looks up and announces after ½, 1, 2 … seconds, then every minute, whenever `isAlone`. The returned function ends
 * this.
 */
export function announceWhileAlone ({ dht, infoHash, port, isAlone }: LonelyPeer): () => void {
  let isEnded = false
  let delay = FIRST_MS
  let timer = setTimeout(again, delay).unref()
  function again (): void {
    // an announcement alone goes to the nodes of the last lookup, and returns no peers
    if (isAlone()) dht.lookup(infoHash, () => { if (!isEnded) dht.announce(infoHash, port) })
    delay = Math.min(delay * 2, LONGEST_MS)
    timer = setTimeout(again, delay).unref()
  }
  return () => {
    isEnded = true
    clearTimeout(timer)
  }
}
