/**
 * Joins a task's session, its inputs and the torrents they come from. Made by compute-control.ts for tasks that have
 * inputs.
 */
import { InputSupply } from '../inputs/supply.ts'
import type { InputState, InputTorrents, SupplyHost } from '../inputs/supply-types.ts'
import type { WorkSession } from '../session/work-session.ts'
import type { ComputeStore } from '../store/compute-store.ts'

/** What a session's commands read. */
export class TaskSupply {
  readonly #supply: InputSupply

  constructor (
    torrents: InputTorrents, session: WorkSession<ComputeStore>,
    { slots, maxSliceBytes = Infinity }: { slots: number, maxSliceBytes: number | undefined }
  ) {
    const { queue, store, task } = session
    const host: SupplyHost = {
      pieceCount: task.pieceCount,
      slots,
      maxSliceBytes,
      get paceMs () { return queue.paceMs },
      get ready () { return queue.ready },
      get share () { return queue.share },
      get isDone () { return queue.isDone },
      waiting: count => queue.waiting(count),
      setReady: (piece, isReady) => { queue.setReady(piece, isReady) },
      setGroups: groups => { queue.setGroups(groups) },
      go: () => { queue.go() },
      report: state => { session.reportInput(state) },
      newPath: () => store.newPath()
    }
    this.#supply = new InputSupply(task.inputs ?? [], torrents, host)
    store.configure({ inputs: this.#supply })
  }

  get states (): InputState[] { return this.#supply.states }

  /** Other pieces may come next than before. */
  changed (): void { this.#supply.changed() }

  close (): void { this.#supply.close() }
}
