/** The numbers behind the summary. Pure. Called by verification.ts. */
import type { Checks } from './checks.ts'
import type { Known } from './known.ts'
import type { Sample } from './sample.ts'
import type { VerificationStats } from './types.ts'

/** What is known of the results of a task, in numbers. */
export function statsOf (
  { ledger, level, pieces }: Known, checks: Checks | null, sample: Sample | null, isMember: boolean
): VerificationStats {
  const keys = [...ledger]
  return {
    states: pieces.counts(),
    lots: checks?.stats() ?? { drawn: 0, wrong: 0, open: 0, atMost: 1 },
    sample: sample?.stats() ?? null,
    open: checks?.openCount ?? 0,
    excluded: keys.filter(key => key.state === 'excluded').length,
    suspected: keys.filter(key => key.state === 'suspended').length,
    members: ledger.members - (isMember ? 1 : 0),
    level
  }
}
