// What the peers of bench/paper.ts are told, and answer.
import process from 'node:process'

/** What a peer is told. */
export type Order =
  | { order: 'add', pieces: number, seconds: number, bytes: number, path: string, utp?: boolean }
  | { order: 'connect', ports: number[], peers: number }
  | { order: 'compute' }
  | { order: 'check' }
  | { order: 'leave' }

/** A work item that was started. */
export interface Item { piece: number, startMs: number, endMs: number, result: boolean }

/** What a peer answers, one answer to an order. */
export interface Answer {
  /** to 'add' */
  port?: number
  /** to 'compute', once the peer has everything; times as `clock` gives them */
  report?: { doneMs: number, items: Item[], aborted: number }
  /** to 'check': the digest of the finished file */
  sha256?: string
}

/** Milliseconds on the machine's steady clock, which all processes share. */
export function clock (): number {
  return Number(process.hrtime.bigint()) / 1e6
}
