/** Who attests what is stored, and whose members they are. Called by believing.ts. */
import { sameResult } from '../results/result.ts'
import type { Result } from '../results/result.ts'
import type { Verification } from '../verification/verification.ts'

/** A peer key that attests a result, and the trusted key whose member it is. */
export interface Attester { readonly key: string, readonly trustedKey?: string }

/** The trusted key whose member a peer key is. @param verification null: nothing is verified */
export function voucherOf (verification: Verification | null, key: string | null): { trustedKey?: string } {
  const trustedKey = key === null ? undefined : verification?.trustedKeyOf(key)
  return trustedKey === undefined ? {} : { trustedKey }
}

/** Who attests the stored result of a piece, and is listened to. */
export function attestersOf (
  verification: Verification | null, index: number, stored: Result | undefined
): Attester[] {
  if (verification === null || stored === undefined) return []
  return verification.statementsOf(index)
    .filter(({ key, result }) => sameResult(result, stored) && !verification.isExcluded(key))
    .map(({ key }) => Object.assign(voucherOf(verification, key), { key }))
}
