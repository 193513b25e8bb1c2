/** What the peers of a simulation know of it, and of each other. */
import { utBitworker } from '../../extensions/ut_bitworker/index.ts'
import type { UtBitworker } from '../../extensions/ut_bitworker/index.ts'
import type { Result } from '../../lib/results/result.ts'
import type { Task } from '../../lib/task/task.ts'
import type { Board } from './attestations.ts'
import type { VirtualClock } from './clock.ts'
import type { Scenario } from './scenario.ts'
import type { Tally } from './tally.ts'
import type { SimulatedWire } from './wire.ts'

/** Somebody in the swarm. */
export interface Member {
  readonly peerId: Uint8Array
  /** takes up one end of a connection */
  connect (wire: SimulatedWire): void
}

/** One that only pretends to have what it announces (liar.ts). */
export interface Deceiver extends Member {
  /** what it sends matches its digest */
  readonly isGood: boolean
  /** how long a piece takes from it, which the peer asks for now; Infinity: it does not answer */
  transferMs (peer: Member): number
}

/** What all peers of a swarm share. */
export interface World {
  readonly scenario: Scenario
  readonly clock: VirtualClock
  readonly tally: Tally
  readonly task: Task
  /** the one result of each piece */
  readonly results: Result[]
  /** of each piece, in milliseconds at speed 1 */
  readonly work: Float64Array
  /** pieces that somebody has computed */
  readonly computed: Uint8Array
  /** by peer id, hex */
  readonly liars: ReadonlyMap<string, Deceiver>
  /** null: nobody attests anything */
  readonly board: Board | null
  /** the one wrong result of each piece */
  readonly forged: Result[]
  readonly idealMs: number
  /** a liar goes by another id now */
  renamed (liar: Deceiver, before: string): void
  /** connects two peers */
  link (liar: Deceiver, peer: Member, latency: number): void
  /** the peer with this id is a forger */
  isForger (id: string): boolean
  /** an honest peer listens no longer to the owner of this key */
  excluded (key: string): void
  /** the peer has every piece, and believes what it has */
  completed (peer: Member): void
}

/**
 * What a member says and hears by one end of a connection. The wire is to be opened with it.
 * @param schedule sends what waits, so many milliseconds from now; default: just so
 */
export function extensionFor (
  { task, clock }: World, wire: SimulatedWire,
  schedule = (flush: () => void, ms: number): void => { clock.post(ms, flush) }
): UtBitworker {
  return new (utBitworker({ task, now: clock.now, schedule }))(wire.asWire)
}
