/** Whom a machine asks what to believe: a `Verification`, or nobody. */
import type { Result } from '../../lib/results/result.ts'
import type { Statement, VerificationHost } from '../../lib/verification/types.ts'
import type { Verification } from '../../lib/verification/verification.ts'

export type Judge = Pick<Verification,
  'attested' | 'computed' | 'contradicts' | 'stored' | 'accepted' | 'needsSecond' | 'needsLook'
  | 'isExcluded' | 'checkShare'>

/** What is heard of first is used: the policy `off`, as the session has it without a `Verification`. */
export class Credulous implements Judge {
  readonly checkShare = 0
  readonly #accepted: (Result | undefined)[] = []
  readonly #host: VerificationHost

  constructor (host: VerificationHost) { this.#host = host }

  attested ({ index, result }: Statement): 'new' | 'known' {
    if (this.#accepted[index] !== undefined) return 'known'
    this.computed(index, result)
    return 'new'
  }

  computed (index: number, result: Result): void {
    this.#accepted[index] ??= result
    this.#host.changed(index)
  }

  stored (): void {}

  contradicts (): boolean { return false }

  accepted (index: number): Result | null { return this.#accepted[index] ?? null }

  needsSecond (): boolean { return false }

  needsLook (): boolean { return false }

  isExcluded (): boolean { return false }
}
