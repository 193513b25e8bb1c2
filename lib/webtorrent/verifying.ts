/** Makes what a session needs to verify results (lib/session/attestations.ts). Called by torrent.ts. */
import { systemClock } from '../base/clock.ts'
import type { TaskWires } from '../connections/task-wires.ts'
import type { TaskPeer } from '../peers/task-peer.ts'
import type { Verifying } from '../session/attestations.ts'
import type { SessionEvents } from '../session/events.ts'
import type { ComputeStore } from '../store/compute-store.ts'
import type { Task } from '../task/task.ts'
import { policyIfIncomparable } from '../verification/policy.ts'
import { previousClosed } from './closing-store.ts'
import { Signing } from './signing.ts'
import type { VerifyingOptions } from './verify-types.ts'

/** The torrent that asks. */
export interface VerifyingTorrent {
  readonly destroyed: boolean
  readonly client: { readonly peerIdBuffer: Uint8Array }
  _signing: Signing | null
  readonly _taskWires: Pick<TaskWires, 'refuse'>
  emit (event: 'refused', refused: SessionEvents['refused']): boolean
  _folderOf (task: Task): string
  _destroy (err: Error): void
}

/** Opens the store, and what our results are signed with. A failure ends the torrent. */
export async function openVerifying (
  options: VerifyingOptions, torrent: VerifyingTorrent, task: Task, store: ComputeStore
): Promise<Verifying | undefined> {
  try {
    const folder = torrent._folderOf(task)
    await previousClosed(folder, task.infoHash)
    await store.open()
    const signing = torrent._signing = await signingOf(options, task, folder)
    if (torrent.destroyed) await signing.close()
    return verifyingBy(signing, options, torrent)
  } catch (err) {
    torrent._destroy(err as Error)
    return undefined
  }
}

async function signingOf (
  { trustedKeys = [], key, member }: VerifyingOptions, task: Task, folder: string
): Promise<Signing> {
  return Signing.open({
    task,
    folder,
    trustedKeys: new Set(trustedKeys),
    ...(key !== undefined && { key }),
    ...(member !== undefined && { member })
  })
}

function verifyingBy (
  signing: Signing, options: VerifyingOptions, torrent: VerifyingTorrent
): Verifying {
  const { policy, comparison, isDeterministic, membersOnly, trustedKeys = [] } = options
  const ifIncomparable = policyIfIncomparable(policy, [...trustedKeys].length > 0)
  const { peerIdBuffer: peerId } = torrent.client
  const refuse = membersOnly === true ? refuseStranger.bind(null, torrent) : undefined
  return {
    policy,
    ownKey: signing.key,
    ...(ifIncomparable !== undefined && { ifIncomparable }),
    createAttestations: (parts, host) => signing.exchange(parts, host, { peerId, clock: systemClock, refuse }),
    load: () => signing.load(),
    keep: saved => { signing.keep(saved) },
    ...(comparison !== undefined && { comparison }),
    ...(isDeterministic !== undefined && { isDeterministic })
  }
}

/** A peer that has not shown in time that it is a member may come back later, not at once. */
function refuseStranger (torrent: VerifyingTorrent, { wire, name, ext }: TaskPeer, reason: string): void {
  torrent.emit('refused', { peer: name, reason })
  torrent._taskWires.refuse(wire)
  // as for a ban
  ext.close()
}
