/**
 * What is kept of a verification on disk: the ledger, the level, the counts of checks, and which pieces were computed
 * or verified here. Attestations are kept by others, and heard again. Read strictly. Pure. Called by verification.ts.
 */
import type { Checks, SavedChecks } from './checks.ts'
import type { Known } from './known.ts'
import type { KeyRecord, KeyState } from './ledger.ts'
import type { Sample, SavedSample } from './sample.ts'

/** A key of the ledger. What only others said about it is heard again. */
interface SavedKey { key: string, state: KeyState, right: number, proven: number, wrongAt: number[] }

/** JSON. */
export interface Saved {
  version: 1
  level: number
  keys: SavedKey[]
  /** a bit for each piece, hexadecimal */
  own: string
  verified: string
  checks: SavedChecks
  sample: SavedSample | null
}

/** What is to be kept. */
export function save ({ ledger, levels, pieces }: Known, checks: Checks | null, sample: Sample | null): Saved {
  return {
    version: 1,
    level: levels.level,
    keys: [...ledger].filter(isMemorable).map(({ key, state, right, proven, wrongAt }) => (
      { key, state, right, proven, wrongAt: [...wrongAt] }
    )),
    own: bitsOf(pieces.own),
    verified: bitsOf(pieces.verified),
    checks: checks?.save() ?? { items: 0, checked: 0, seconds: 0, drawn: 0, wrong: 0 },
    sample: sample?.save() ?? null
  }
}

/** The same without what comparing taught about keys: what was computed and verified here. */
export function withoutConduct ({ version, own, verified }: Saved): Saved {
  const checks = { items: 0, checked: 0, seconds: 0, drawn: 0, wrong: 0 }
  return { version, own, verified, level: 0, keys: [], checks, sample: null }
}

/** Takes back what was kept. Returns false, and changes nothing, if any part of it is not as it must be. */
export function restore (
  saved: unknown, { pieceCount, ledger, levels, pieces }: Known, checks: Checks | null, sample: Sample | null
): boolean {
  const read = readSaved(saved, pieceCount)
  if (read === null) return false
  levels.restore(read.level)
  for (const { key, ...record } of read.keys) ledger.restore(key, record)
  checks?.restore(read.checks)
  if (read.sample !== null) sample?.restore(read.sample)
  for (let index = 0; index < pieceCount; index++) {
    // what is not stored any more may be downloaded, and is not our own then
    if (hasBit(read.own, index)) pieces.own[index] = pieces.stored[index]!
    if (hasBit(read.verified, index)) pieces.verified[index] = pieces.stored[index]!
  }
  return true
}

/** What others said about a key is heard again. */
function isMemorable ({ proven, state, wrongAt }: KeyRecord): boolean {
  return proven > 0 || state !== 'ok' || wrongAt.length > 0
}

/** A bit for each entry that is not 0, four in each hexadecimal digit, the first one highest. */
function bitsOf (numbers: Uint8Array): string {
  let bits = ''
  for (let at = 0; at < numbers.length; at += 4) {
    let digit = 0
    for (let bit = 0; bit < 4; bit++) if ((numbers[at + bit] ?? 0) !== 0) digit |= 8 >> bit
    bits += digit.toString(16)
  }
  return bits
}

/** Whether the bit is set. */
function hasBit (bits: string, index: number): boolean {
  return (parseInt(bits[index >> 2] ?? '0', 16) & (8 >> (index & 3))) !== 0
}

/** What `save` returned, if every part of it is as it must be; null: it is something else. */
function readSaved (saved: unknown, pieceCount: number): Saved | null {
  if (!isRecord(saved) || saved['version'] !== 1 || !isCount(saved['level']) || saved['level'] > 2) return null
  const bits = new RegExp(`^[0-9a-f]{${Math.ceil(pieceCount / 4)}}$`)
  const { own, verified, keys, checks, sample } = saved
  if (typeof own !== 'string' || typeof verified !== 'string' || !bits.test(own) || !bits.test(verified)) return null
  if (!Array.isArray(keys) || !keys.every(key => isSavedKey(key, pieceCount))) return null
  if (!isRecord(checks) || !['items', 'checked', 'seconds', 'drawn', 'wrong'].every(name => isCount(checks[name]))) {
    return null
  }
  return sample === null || isSavedSample(sample) ? saved as unknown as Saved : null
}

function isSavedKey (value: unknown, pieceCount: number): boolean {
  if (!isRecord(value) || typeof value['key'] !== 'string' || value['key'].length > 128) return false
  if (value['state'] !== 'ok' && value['state'] !== 'suspended' && value['state'] !== 'excluded') return false
  const { right, proven, wrongAt } = value
  return isCount(right) && isCount(proven) && Array.isArray(wrongAt) && wrongAt.length <= pieceCount &&
    wrongAt.every(index => isCount(index) && index < pieceCount)
}

function isSavedSample (value: unknown): boolean {
  if (!isRecord(value) || !['round', 'checked', 'wrong'].every(name => isCount(value[name]))) return false
  return value['state'] === 'open' || value['state'] === 'satisfied' || value['state'] === 'failed'
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
