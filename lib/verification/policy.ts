/** Policies as text, and the one that holds if the reader names none. Pure. Called by command line and library. */
import { BitWorkerError } from '../base/errors.ts'
import type { Policy, UncomparingPolicy } from './types.ts'

/** Attestations of each piece are kept: a larger quorum would take more memory than it is worth. */
const MAX_QUORUM = 16
/** Of what others computed. Less takes a sample of nearly everything, and more says nothing. */
const MIN_ERROR = 0.0001
const MAX_ERROR = 0.5

const KINDS = 'off, audit, audit=1%, quorum=2, trust, trust=KEY or all'

/**
 * Reads `off`, `audit`, `audit=1%` (or `audit=0.01`), `quorum=2`, `trust`, `trust=KEY,KEY` (64 hex digits each) or
 * `all`. Throws BW_ERR_VERIFY_OPTIONS.
 */
export function parsePolicy (text: string): Policy {
  const [, kind = '', value] = /^([a-z]+)(?:=(.*))?$/s.exec(text) ?? []
  switch (kind) {
    case 'off': case 'all':
      if (value !== undefined) throw badPolicy(`the policy ${kind} takes no value`, kind)
      return { kind }
    case 'audit': return value === undefined ? { kind } : checkedPolicy({ kind, error: shareOf(value) })
    case 'quorum': return checkedPolicy({ kind, count: /^\d+$/.test(value ?? '') ? Number(value) : Number.NaN })
    case 'trust': return value === undefined ? { kind } : checkedPolicy({ kind, keys: value.split(',') })
    default: throw badPolicy(`${JSON.stringify(text.slice(0, 40))} is not a policy`, KINDS)
  }
}

/** The policy itself, if its numbers and keys are in their ranges. Throws BW_ERR_VERIFY_OPTIONS. */
export function checkedPolicy (policy: Policy): Policy {
  if (policy.kind === 'audit' && policy.error !== undefined) {
    const { error } = policy
    if (!(error >= MIN_ERROR && error <= MAX_ERROR)) {
      throw badPolicy(`the error of an audit is from ${percent(MIN_ERROR)} to ${percent(MAX_ERROR)}`, 'audit=1%')
    }
  }
  if (policy.kind === 'quorum' && !(Number.isInteger(policy.count) && policy.count > 1 && policy.count <= MAX_QUORUM)) {
    throw badPolicy(`a quorum is a number from 2 to ${MAX_QUORUM}`, 'quorum=2')
  }
  if (policy.kind !== 'trust' || policy.keys === undefined) return policy
  const keys = policy.keys.map(key => key.toLowerCase())
  if (keys.length > 0 && keys.every(key => /^[0-9a-f]{64}$/.test(key))) return { kind: 'trust', keys }
  throw badPolicy('a trusted key is 64 hex digits', 'trust=KEY,KEY')
}

/** As `parsePolicy` reads it. */
export function formatPolicy (policy: Policy): string {
  switch (policy.kind) {
    case 'audit': return policy.error === undefined ? 'audit' : `audit=${percent(policy.error)}`
    case 'quorum': return `quorum=${policy.count}`
    case 'trust': return policy.keys === undefined ? 'trust' : `trust=${policy.keys.join(',')}`
    case 'off': case 'all': return policy.kind
    default: return policy satisfies never
  }
}

/** What decides about the default. */
export interface PolicyCircumstances {
  hasVerifyCommand: boolean
  /** results can be compared: by their bytes, or by a compare command */
  isComparable: boolean
  /** somebody trusted is expected to take part: the reader or the task names a key, or somebody trusted signed it */
  hasTrustedKey: boolean
  /** commands run here */
  computes: boolean
}

/** A policy, and a line for the reader. */
export interface DefaultPolicy {
  policy: Policy
  /** goes on after `results: ` */
  line: string
  /** nothing is checked */
  isWarning: boolean
}

/** The policy if the reader names none. */
export function defaultPolicy (circumstances: PolicyCircumstances): DefaultPolicy {
  const { hasVerifyCommand, isComparable, hasTrustedKey, computes } = circumstances
  if (computes && hasVerifyCommand) return said('all', "checked by the task's verify command")
  if (computes && isComparable) {
    return said('audit', hasTrustedKey ? 'checked by lot here, and by trusted peers' : 'checked by lot')
  }
  if (hasTrustedKey) return said('trust', 'accepted from trusted peers only')
  const why = computes ? 'results of this task differ from run to run' : 'without computing nothing can be checked'
  return said('off', `not checked: ${why}, and no trusted key is named`, true)
}

/**
 * The policy from then on if results turn out not to be comparable, in place of this one; undefined: everything is
 * accepted, as no key is trusted whose members could be believed. Policies that compare nothing stay.
 */
export function policyIfIncomparable (policy: Policy, hasTrustedKey: boolean): UncomparingPolicy | undefined {
  if (policy.kind === 'all') return { kind: 'all' }
  if (policy.kind === 'trust') return policy
  return hasTrustedKey ? { kind: 'trust' } : undefined
}

const said = (kind: 'all' | 'audit' | 'trust' | 'off', line: string, isWarning = false): DefaultPolicy => (
  { policy: { kind }, line, isWarning }
)

/** A share, from `1%`, `0.5 %` or `0.01`; not a number: something else. */
function shareOf (text: string): number {
  const [, digits, sign] = /^(\d{1,3}(?:\.\d{1,9})?) ?(%?)$/.exec(text) ?? []
  return digits === undefined ? Number.NaN : Number(digits) / (sign === '%' ? 100 : 1)
}

/** Without the digits that binary fractions add. */
const percent = (share: number): string => `${Number((share * 100).toPrecision(12))}%`

function badPolicy (what: string, instead: string): BitWorkerError {
  return new BitWorkerError('BW_ERR_VERIFY_OPTIONS', 'usage', `Invalid policy: ${what}. Give ${instead}.`)
}
