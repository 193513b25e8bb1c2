/** Which keys and attestations are kept: the room for one more. Pure. Called by verification.ts. */
import type { Result } from '../results/result.ts'
import type { Known } from './known.ts'
import { hasRecord, isChecked } from './ledger.ts'
import type { KeyRecord } from './ledger.ts'
import type { Entry } from './statements.ts'

/** Attestations of members that are kept for a piece: of each trusted key one, and one more that contradicts it. */
const MAX_PER_TRUSTED_KEY = 2
/** Members' attestations of a piece, whatever the number of trusted keys. */
const MAX_MEMBERS_PER_PIECE = 64

/**
 * The record of a key that attests a result, if there is room for it and for what it attests. A new key takes the place
 * of one that is excluded if there are too many.
 */
export function admit (known: Known, index: number, result: Result, key: string): KeyRecord | undefined {
  const { ledger, statements } = known
  const record = ledger.get(key)
  if (!makeRoom(known, index, result, record)) return undefined
  if (record !== undefined) return record
  if (ledger.isFull) {
    const forgotten = ledger.forgetExcluded()
    if (forgotten !== undefined) statements.removeAll(forgotten)
  }
  return ledger.open(key)
}

/** Strangers who are not excluded share the room of a piece. */
const counts = ({ key }: Entry): boolean => key.trustedKey === null && key.state !== 'excluded'

/**
 * Whether there is room for what the key attests about the piece. Forgets what excluded keys attest, and,
 * if necessary, for a key that was checked, what keys without a record do.
 */
function makeRoom ({ statements }: Known, index: number, result: Result, record: KeyRecord | undefined): boolean {
  const entries = statements.entries(index)
  if (entries.length === 0) return true
  if (record !== undefined && record.trustedKey !== null) {
    const variant = statements.variantOf(index, result)
    const members = entries.filter(entry => entry.key.trustedKey !== null)
    const same = members.filter(entry => entry.key.trustedKey === record.trustedKey)
    return members.length < MAX_MEMBERS_PER_PIECE && same.length < MAX_PER_TRUSTED_KEY &&
      !same.some(entry => entry.variant === variant)
  }
  for (const entry of entries) if (entry.key.state === 'excluded') statements.remove(index, entry.key)
  if (statements.hasRoom(index, result, counts)) return true
  if (record === undefined || !isChecked(record)) return false
  for (const entry of entries) {
    if (counts(entry) && !hasRecord(entry.key)) statements.remove(index, entry.key)
  }
  return statements.hasRoom(index, result, counts)
}
