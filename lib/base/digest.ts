/**
 * Digests, and comparison of bytes. Besides task/ed25519.ts, this is the only portable file that needs `node:crypto`.
 */
import { createHash, hash } from 'node:crypto'

/** A digest of data that is added in chunks. */
export interface IncrementalDigest {
  update (bytes: string | Uint8Array): IncrementalDigest
  /** 32 bytes for SHA-256, 20 bytes for SHA-1; to be called once */
  digest (): Uint8Array
}

/** SHA-256, 32 bytes. */
export function sha256 (bytes: Uint8Array): Uint8Array {
  return hash('sha256', bytes, 'buffer')
}

/** SHA-256 of data that is added in chunks. */
export function incrementalSha256 (): IncrementalDigest {
  return createHash('sha256')
}

/** SHA-1 (20 bytes) of data that is added in chunks, such as a piece of an ordinary torrent. */
export function incrementalSha1 (): IncrementalDigest {
  return createHash('sha1')
}

/** SHA-1 in hexadecimal, as in an info-hash. */
export function sha1Hex (bytes: Uint8Array): string {
  return hash('sha1', bytes, 'hex')
}

/** In lower-case hexadecimal. */
export function hexOf (bytes: Uint8Array): string {
  let hex = ''
  for (const byte of bytes) hex += (byte < 16 ? '0' : '') + byte.toString(16)
  return hex
}

/** Negative, 0 or positive, by the first byte that differs. A prefix sorts before the longer value. */
export function compareBytes (a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}

/** Whether both have the same bytes. */
export function equalBytes (a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && compareBytes(a, b) === 0
}
