declare module 'magnet-uri' {
  /** Reads a magnet link. */
  export default function decode (uri: string): {
    infoHash?: string
    name?: string
    announce: string[]
    peerAddresses: string[]
  }
}
