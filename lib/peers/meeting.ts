/** Whether the peers that have connected have announced their pieces. Pure. */
import type { TaskPeer } from './task-peer.ts'

/** How far the connected peers have announced their pieces. */
export interface Meeting {
  /** connections are being opened, or their peers have not announced their pieces yet */
  isConnecting: boolean
  /** at least one peer works on the same task, and has announced its pieces or is about to */
  hasMet: boolean
}

/** A peer that has to show first that it is a member is still connecting. */
export function meetingOf (peers: Iterable<TaskPeer>): Meeting {
  const areNew = new Set(Array.from(peers, ({ ext, results, isAdmitted }) =>
    !isAdmitted || ext.state.status === 'waiting' || results.unexplained > 0))
  return { isConnecting: areNew.has(true), hasMet: areNew.has(false) }
}
