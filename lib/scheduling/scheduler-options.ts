/** What a scheduler is told of its task, and is given. */

/** Options of a scheduler. */
export interface SchedulerOptions {
  /** initially, all pieces are missing, wanted, and held by nobody */
  pieceCount: number
  /** our own, hex */
  peerId: string
  /** returns numbers in [0, 1) */
  random: () => number
  /** milliseconds on any steady clock */
  now: () => number
  /** how late everything is here, milliseconds (scheduling/lag.ts); default: 0 */
  lag?: () => number
  /** pieces have inputs, so they can be computed only after `setReady`; default false */
  needsInputs?: boolean
  /** a holder does not deliver: its requests should go to others */
  overdue?: () => void
  /** the share of the items that are checks while pieces are missing, 0 to 1; default: 0 */
  checkShare?: () => number
}
