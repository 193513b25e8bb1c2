/** The result of a piece. Pure. */
import { equalBytes } from '../base/digest.ts'

/** The product of one execution of the command: its size in bytes and its SHA-256 digest (32 bytes). */
export interface Result {
  readonly size: number
  readonly digest: Uint8Array
}

/** True if both are the same result. */
export function sameResult (a: Result, b: Result): boolean {
  return a === b || (a.size === b.size && equalBytes(a.digest, b.digest))
}
