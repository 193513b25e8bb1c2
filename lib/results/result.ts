/** What a piece is, once it is computed. Pure. */
import { equalBytes } from '../base/digest.ts'

/** What one execution of the command produced: its size in bytes and the SHA-256 digest (32 bytes). */
export interface Result {
  readonly size: number
  readonly digest: Uint8Array
}

/** True when both are the same result. */
export function sameResult (a: Result, b: Result): boolean {
  return a === b || (a.size === b.size && equalBytes(a.digest, b.digest))
}
