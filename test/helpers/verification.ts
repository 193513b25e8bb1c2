/** A `Verification` for tests, and what it told. */
import { createHash } from 'node:crypto'
import type { Result } from '../../lib/results/result.ts'
import type { CheckedEvent, Statement, VerificationOptions } from '../../lib/verification/types.ts'
import { Verification } from '../../lib/verification/verification.ts'

const resultOf = (text: string): Result => ({ size: text.length, digest: createHash('sha256').update(text).digest() })

/** The right result of a piece. */
export const result = (index: number): Result => resultOf(`right ${index}`)
/** A wrong one; `how`: which. */
export const wrong = (index: number, how = 1): Result => resultOf(`wrong ${index} ${how}`)

export const options: VerificationOptions = {
  pieceCount: 20, policy: { kind: 'audit' }, ownKey: 'own', random: () => 0.999
}

/** A `Verification` whose events are kept, by kind. */
export function accounted (changes: Partial<VerificationOptions> = {}) {
  const told = {
    changed: [] as number[],
    refuted: [] as number[],
    checks: [] as Array<{ index: number, by: string }>,
    dropped: [] as number[],
    checked: [] as CheckedEvent[],
    suspected: [] as string[],
    excluded: [] as string[],
    levels: [] as number[]
  }
  const verification = new Verification({ ...options, ...changes }, {
    changed: index => { told.changed.push(index) },
    refuted: index => { told.refuted.push(index) },
    check: (index, by) => { told.checks.push({ index, by }) },
    dropped: index => { told.dropped.push(index) },
    checked: event => { told.checked.push(event) },
    suspected: key => { told.suspected.push(key) },
    excluded: key => { told.excluded.push(key) },
    level: level => { told.levels.push(level) }
  })
  const say = (key: string, index: number, of = result(index), more: Partial<Statement> = {}) => (
    verification.attested({ index, result: of, key, kind: 0, ...more })
  )
  return { verification, told, say }
}
