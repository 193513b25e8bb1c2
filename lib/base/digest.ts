/** Digests, and the comparison of bytes. The one portable file besides task/ed25519.ts that needs `node:crypto`. */
import { createHash, hash } from 'node:crypto'

/** A digest of what comes bit by bit. */
export interface IncrementalDigest {
  update (bytes: string | Uint8Array): IncrementalDigest
  /** 32 bytes of SHA-256, 20 of SHA-1; once */
  digest (): Uint8Array
}

/** SHA-256, 32 bytes. */
export function sha256 (bytes: Uint8Array): Uint8Array {
  return hash('sha256', bytes, 'buffer')
}

/** SHA-256 of what comes bit by bit. */
export function incrementalSha256 (): IncrementalDigest {
  return createHash('sha256')
}

/** SHA-1, 20 bytes, of what comes bit by bit: of a piece of an ordinary torrent. */
export function incrementalSha1 (): IncrementalDigest {
  return createHash('sha1')
}

/** SHA-1 in hex, as of an info-hash. */
export function sha1Hex (bytes: Uint8Array): string {
  return hash('sha1', bytes, 'hex')
}

/** In lower case. */
export function hexOf (bytes: Uint8Array): string {
  let hex = ''
  for (const byte of bytes) hex += (byte < 16 ? '0' : '') + byte.toString(16)
  return hex
}

/** Negative, 0 or positive, as the first byte that differs says; a prefix comes first. */
export function compareBytes (a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}

/** Whether they have the same bytes. */
export function equalBytes (a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && compareBytes(a, b) === 0
}
