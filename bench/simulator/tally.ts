/** What a run counts. */
export class Tally {
  /** milliseconds of computing, all in */
  computedMs = 0
  /** of these: work items that were killed because another peer was first, and second results of a piece */
  wastedMs = 0
  /** of these: died with its peer */
  lostMs = 0
  started = 0
  finished = 0
  aborted = 0
  /** results of pieces that had one already */
  duplicates = 0
  downloads = 0
  /** ut_bitworker messages sent, and their bytes */
  messages = 0
  messageBytes = 0
  /** claims and backups received, and claims of others passed on; renewed ones included */
  claims = 0
  relays = 0
  /** how often a peer found out that another one's results are wrong: forgers, and honest ones */
  exposed = 0
  slandered = 0
}
