/** What a store tells of its work. */

/** A file that is finished. */
export interface FinishedFile {
  /** absolute */
  path: string
  /** bytes */
  length: number
}
