/**
 * Which result of a piece is accepted, and why: a pure function of the policy, the level, what was computed here, and
 * what keys attest. No file, clock or random number. Called by verification.ts.
 */
import { hasRecord, isChecked, isVouched } from './ledger.ts'
import type { KeyRecord } from './ledger.ts'
import type { Comparison, PieceState, Policy } from './types.ts'

/** One key attests one result of the piece. */
export interface Voice { readonly key: KeyRecord, readonly variant: number }

/** What is known of one piece. Numbers are those of results; 0: none. */
export interface Evidence {
  /** computed here */
  readonly own: number
  /** found right by the verify command, or equal by the compare command */
  readonly verified: number
  /** in the order in which they were heard */
  readonly voices: readonly Voice[]
}

/** The rules that hold for every piece. */
export interface Rules {
  readonly policy: Policy
  readonly level: number
  readonly comparison: Comparison
}

/** The accepted result (0: none), and who stands for it. */
export interface Belief {
  readonly variant: number
  readonly by: Extract<PieceState, 'own' | 'verified' | 'trusted' | 'confirmed' | 'attested'> | null
}

const NOTHING: Belief = { variant: 0, by: null }

/** The accepted result of a piece. Only an own or trusted computation ever turns a result down for good. */
export function believe (evidence: Evidence, rules: Rules): Belief {
  if (evidence.own !== 0) return { variant: evidence.own, by: 'own' }
  if (evidence.verified !== 0) return { variant: evidence.verified, by: 'verified' }
  const { policy } = rules
  switch (policy.kind) {
    case 'off': case 'all': return NOTHING
    case 'trust': return trusted(evidence.voices, rules)
    case 'quorum': return byQuorum(evidence.voices.filter(isHeard), policy.count, rules)
    case 'audit': {
      const byMembers = trusted(evidence.voices, rules)
      return byMembers.variant === 0 ? byKeys(evidence.voices.filter(isHeard), rules) : byMembers
    }
    default: return NOTHING
  }
}

/** The word of a suspended key counts for nothing by itself; that of an excluded one for nothing at all. */
const isHeard = ({ key }: Voice): boolean => key.state === 'ok'

/** What a member attests, unless members contradict each other: then somebody has a broken machine, and we compute. */
export function trusted (voices: readonly Voice[], { comparison }: Pick<Rules, 'comparison'>): Belief {
  let variant = 0
  for (const voice of voices) {
    if (voice.key.trustedKey === null || !isHeard(voice)) continue
    if (variant === 0) variant = voice.variant
    else if (variant !== voice.variant && comparison === 'bytes') return NOTHING
  }
  return variant === 0 ? NOTHING : { variant, by: 'trusted' }
}

function byQuorum (voices: readonly Voice[], count: number, { comparison }: Rules): Belief {
  for (const variant of new Set(voices.map(voice => voice.variant))) {
    const keys = voices.filter(voice => voice.variant === variant).length
    if (keys < count || (keys < voices.length && comparison === 'bytes')) continue
    return { variant, by: keys > 1 ? 'confirmed' : 'attested' }
  }
  return NOTHING
}

/**
 * Of several results that may be believed: the one with more keys that were checked; then with more keys that have a
 * record; then the one heard first. The mere number of keys never decides: everybody can have ten.
 */
function byKeys (voices: readonly Voice[], { level, comparison }: Rules): Belief {
  // as most pieces are
  if (voices.length < 2) {
    const [voice] = voices
    return voice !== undefined && isEnough([voice.key], false, level) ? { variant: voice.variant, by: 'attested' } : NOTHING
  }
  let best = NOTHING
  let [mostChecked, mostRecords] = [-1, -1]
  for (const variant of new Set(voices.map(voice => voice.variant))) {
    const keys = voices.filter(voice => voice.variant === variant).map(voice => voice.key)
    if (!isEnough(keys, keys.length < voices.length && comparison === 'bytes', level)) continue
    const checked = keys.filter(isChecked).length
    const records = keys.filter(level < 2 ? hasRecord : isVouched).length
    if (checked < mostChecked || (checked === mostChecked && records <= mostRecords)) continue
    best = { variant, by: keys.length > 1 ? 'confirmed' : 'attested' }
    mostChecked = checked
    mostRecords = records
  }
  return best
}

/** Whether what these keys attest is believed at this level. */
function isEnough (keys: readonly KeyRecord[], isContradicted: boolean, level: number): boolean {
  if (level === 0) return keys.length > 0
  if (level === 1) return keys.some(hasRecord) || (keys.length > 1 && !isContradicted)
  return keys.some(isChecked) || keys.filter(isVouched).length > 1
}
