/** Decides how far ahead slices are fetched. Pure. Called by slice-fetch.ts. */

/** A peer hears of a claim within this time, even if it is busy. */
const HEARD_MS = 200
/** A slice may take longer than the last ones did. */
const FETCHES = 1.5
/** Slices are fetched at most so long before their work items, or the duration of a piece, whichever is longer. */
const MAX_LEAD_MS = 1_000
/** When a peer's last piece is next, nobody takes one early for slices that take less than this share of a piece. */
const SHORT_FETCH = 0.25
/** With more waiting pieces per slot than this, a piece more at each peer makes nobody idle. */
const PLENTY = 2
/** Slices per slot that may be fetched in vain: claims lapse, and peers leave. */
const AHEAD_PER_SLOT = 2
/** At most this share of the slices that were used here: more of them. */
const AHEAD_SHARE = 0.2

/** What is known when slices are chosen. */
export interface Situation {
  slots: number
  /** duration of a piece, milliseconds; 0: unknown */
  paceMs: number
  /** what the last slices took, milliseconds; 0: unknown */
  fetchMs: number
  /** number of pieces whose slices are here or on their way */
  here: number
  /** number of pieces that each peer gets if all get the same number */
  share: number
  /** number of slices that were fetched */
  fetched: number
}

/**
 * How long before there are slots for them pieces are claimed, and their slices fetched, milliseconds; 0: not before
 * there are. At the end of a task another peer may be free sooner than this one expects to be.
 */
export function leadMs ({ slots, paceMs, fetchMs, share }: Omit<Situation, 'here' | 'fetched'>): number {
  if (share <= slots && fetchMs <= SHORT_FETCH * paceMs) return 0
  return Math.min(HEARD_MS + FETCHES * fetchMs, Math.max(MAX_LEAD_MS, paceMs))
}

/**
 * The number of slices to begin with.
 * @param due number of pieces that can start within the lead, and are not `here`
 */
export function slicesDue (due: number, { slots, paceMs, here, share, fetched }: Omit<Situation, 'fetchMs'>): number {
  // nobody knows when the running ones end
  const next = paceMs === 0 && share > PLENTY * slots ? slots - here : 0
  const most = Math.max(AHEAD_PER_SLOT * slots, Math.floor(AHEAD_SHARE * fetched))
  return Math.max(0, Math.min(Math.max(due, next), Math.min(most, Math.max(slots, share)) - here))
}

/** A piece whose inputs are not known to be stored. */
export interface WaitingPiece {
  index: number
  /** units of its input that it needs and that are not stored; null: not known yet */
  lacks: number[] | null
  /** how likely another peer computes it: 1 if another one comes first, 2 if another one has downloaded its slice */
  doubt: 0 | 1 | 2
}

/** Chooses up to `room` of the next pieces, `waiting`, in their order; those that others are likely to compute last. */
export function choosePieces<Piece extends WaitingPiece> (waiting: Iterable<Piece>, room: number): Piece[] {
  const chosen: Piece[] = []
  const doubtful: Piece[] = []
  for (const piece of waiting) {
    if (chosen.length >= room) break
    if (piece.doubt > 0 && piece.lacks?.length !== 0) doubtful.push(piece)
    else chosen.push(piece)
  }
  return chosen.concat(doubtful.toSorted((a, b) => a.doubt - b.doubt)).slice(0, Math.max(0, room))
}
