/** What a simulated swarm is made of. */
import type { Policy } from '../../lib/verification/types.ts'
import type { Attack } from './attacks.ts'

/** `hasQuotas`: a key is given only so many pieces a day; default: any number */
export interface ServerPolicy { kind: 'server', isAdaptive: boolean, hasQuotas?: boolean }

export interface Scenario {
  /** all of them, the attacker's too */
  machines: number
  pieces: number
  /** 0..1: which part of the machines is the attacker's; what they do */
  attackers: number
  attack: Attack | null
  /** of the honest machines; `server`: one machine decides instead, as BOINC's */
  policy: Policy | ServerPolicy
  /** honest machines whose key is certified by a key that everybody trusts */
  members: number
  /** 0..1: honest machines that use whatever they hear of first */
  idle: number
  /** 0..1: how often an honest machine errs, without malice */
  errors: number
  /** 0..1: the part of the pieces that takes ten times as long */
  dear: number
}

export const DEFAULTS: Scenario = {
  machines: 50,
  pieces: 2000,
  attackers: 0.2,
  attack: null,
  policy: { kind: 'audit' },
  members: 0,
  idle: 0,
  errors: 1e-3,
  dear: 0
}
