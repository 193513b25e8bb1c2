/**
 * How the results of one torrent are verified: the policy, chosen when the task is known, and the key that signs. Who
 * names no policy has a default that follows what happens: commands are to run here, or not after all, or the task's
 * verify command does not work. Made by torrent.ts.
 */
import { systemClock } from '../base/clock.ts'
import type { WireIdentity } from '../../extensions/ut_bitworker/index.ts'
import type { TaskWires } from '../connections/task-wires.ts'
import type { TaskPeer } from '../peers/task-peer.ts'
import type { Verifying } from '../session/attestations.ts'
import type { SessionEvents } from '../session/events.ts'
import type { JudgeMode, WorkSession } from '../session/work-session.ts'
import type { Task } from '../task/task.ts'
import { formatPolicy, policyIfIncomparable } from '../verification/policy.ts'
import { Signing } from './signing.ts'
import { PolicyChoice } from './verify-options.ts'
import type { ChosenVerifying, VerifyingTorrentOptions } from './verify-options.ts'
import type { VerificationReport, VerifyingOptions } from './verify-types.ts'

/** The torrent that asks. */
export interface VerifyingTorrent {
  readonly destroyed: boolean
  readonly client: { readonly peerIdBuffer: Uint8Array }
  readonly wires: readonly Parameters<TaskWires['introduce']>[0][]
  readonly _options: VerifyingTorrentOptions
  readonly _control: { readonly isWanted: boolean }
  readonly _session: WorkSession | null
  readonly _taskWires: Pick<TaskWires, 'refuse' | 'introduce'>
  emit (event: 'refused', refused: SessionEvents['refused']): boolean
  emit (event: 'verifying', verifying: SessionEvents['verifying']): boolean
  _folderOf (task: Task): string
  _destroy (err: Error): void
}

/** What happens to the verify command of a torrent whose policy is `all`. */
type Unjudged = 'stopped' | 'broken'

/** The policy of one torrent. */
export class TorrentPolicy {
  readonly #torrent: VerifyingTorrent
  #choice: PolicyChoice | null = null
  #chosen: ChosenVerifying | null = null
  /** what our results are signed with; null: nothing is verified, or not yet */
  #signing: Signing | null = null
  /** the folder is ours */
  #isStored = false
  /** the verify command was not found not to work here */
  #commandWorks = true
  #changing: Promise<void> = Promise.resolve()

  constructor (torrent: VerifyingTorrent) {
    this.#torrent = torrent
  }

  /** Of a connection, for ut_bitworker. */
  newIdentity (): WireIdentity | null { return this.#signing?.identity() ?? null }

  /** What `torrent.verification` is. */
  get report (): VerificationReport | null {
    const session = this.#torrent._session
    const stats = session?.verification ?? null
    if (this.#chosen === null || session === null || stats === null) return null
    // another one may have taken its place; with `all`, that is the one beside the verify command
    const policy = this.#chosen.policy.kind === 'all' ? this.#chosen.policy : session.policy ?? this.#chosen.policy
    const isMemberExpected = this.#chosen.isMemberExpected || policy.kind === 'trust'
    return { policy: formatPolicy(policy), isMemberExpected, ...stats }
  }

  /**
   * Chooses the policy, and reads or makes the key that signs. Rejects with BW_ERR_VERIFY_OPTIONS, BW_ERR_KEY_FILE,
   * BW_ERR_KEY and BW_ERR_TASK_SIGNATURE.
   */
  async open (session: WorkSession): Promise<void> {
    const { _options: options, _control: control } = this.#torrent
    const { verifying } = options
    if (verifying !== undefined) return this.#set(session, verifying, 'possible')
    const choice = await PolicyChoice.read(session.task, options)
    if (this.#torrent.destroyed) return
    const computes = control.isWanted || choice.computes
    const chosen = this.#chosen = choice.choose({ ...this.#circumstances(session), computes })
    this.#say(chosen)
    await this.#set(session, chosen.options, choice.judgingBy(chosen.policy))
    this.#choice = choice
    // it may have been started meanwhile
    this.follow()
  }

  /** The store is open: the folder is ours. Rejects if our key cannot be kept there. */
  async stored (): Promise<void> {
    this.#isStored = true
    await this.#signing?.open()
  }

  /** Commands are to run here: whoever has named no policy checks what others compute, from now on. */
  follow (): void {
    const { _control: { isWanted }, _session: session } = this.#torrent
    if (isWanted && session !== null) this.#choose(session, { computes: true })
  }

  /** See SessionHost. What was asked for by name stays, and what it does not allow is not used. */
  unjudged (why: Unjudged): boolean {
    const { _session: session } = this.#torrent
    if (session === null || this.#choice === null || this.#chosen === null) return false
    if (why === 'broken') {
      this.#commandWorks = false
      if (this.#choose(session, { computes: true })) return true
      this.#say({ ...this.#chosen, line: this.#choice.withoutCommand(this.#chosen.policy), isWarning: true })
      return false
    }
    return this.#choose(session, { computes: false })
  }

  async close (): Promise<void> {
    await this.#changing
    await this.#signing?.close()
  }

  /** Whether results can be compared, and what the verify command is good for. */
  #circumstances ({ isComparable }: WorkSession): { isComparable: boolean, commandWorks: boolean } {
    return { isComparable, commandWorks: this.#commandWorks }
  }

  /** Returns whether another policy takes the place of the present one. */
  #choose (session: WorkSession, { computes }: { computes: boolean }): boolean {
    const [choice, before] = [this.#choice, this.#chosen]
    if (choice === null || before === null || choice.isNamed) return false
    let chosen: ChosenVerifying
    try {
      chosen = choice.choose({ ...this.#circumstances(session), computes })
    } catch {
      return false // members only, and nobody can be named one: what holds now is stricter
    }
    if (chosen.policy.kind === before.policy.kind) return false
    this.#chosen = chosen
    this.#say(chosen)
    // if there is no key yet: until then, nothing is accepted that is not judged
    const set = this.#set(session, chosen.options, choice.judgingBy(chosen.policy))
    this.#changing = set.catch((err: unknown) => { this.#torrent._destroy(err as Error) })
    return true
  }

  #say ({ policy, line, isWarning }: ChosenVerifying): void {
    if (!this.#torrent.destroyed) this.#torrent.emit('verifying', { policy: formatPolicy(policy), line, isWarning })
  }

  /** @param options null: nothing is verified but by the verify command */
  async #set (session: WorkSession, options: VerifyingOptions | null, judging: JudgeMode): Promise<void> {
    if (options === null) {
      // what is attested is kept on, for those who check it
      const policy = { kind: 'off' } as const
      session.setPolicy(this.#signing === null ? undefined : this.#verifyingBy(this.#signing, { policy }), judging)
      return
    }
    const signing = this.#signing ?? await this.#sign(session.task, options)
    if (!this.#torrent.destroyed) session.setPolicy(this.#verifyingBy(signing, options), judging)
  }

  async #sign (task: Task, { trustedKeys = [], key, member }: VerifyingOptions): Promise<Signing> {
    const signing = this.#signing = await Signing.read({
      task,
      folder: this.#torrent._folderOf(task),
      trustedKeys: new Set(trustedKeys),
      ...(key !== undefined && { key }),
      ...(member !== undefined && { member })
    })
    if (this.#isStored && !this.#torrent.destroyed) await signing.open()
    for (const wire of this.#torrent.wires) this.#torrent._taskWires.introduce(wire)
    return signing
  }

  #verifyingBy (signing: Signing, options: VerifyingOptions): Verifying {
    const { policy, membersOnly, trustedKeys = [] } = options
    const ifIncomparable = policyIfIncomparable(policy, [...trustedKeys].length > 0)
    const { peerIdBuffer: peerId } = this.#torrent.client
    const refuse = membersOnly === true ? refuseStranger.bind(null, this.#torrent) : undefined
    return {
      policy,
      ownKey: signing.key,
      ...(ifIncomparable !== undefined && { ifIncomparable }),
      createAttestations: (parts, host) => signing.exchange(parts, host, { peerId, clock: systemClock, refuse }),
      load: () => signing.load(),
      keep: saved => { signing.keep(saved) }
    }
  }
}

/** A peer that has not shown in time that it is a member may come back later, not at once. */
function refuseStranger (torrent: VerifyingTorrent, { wire, name, ext }: TaskPeer, reason: string): void {
  torrent.emit('refused', { peer: name, reason })
  torrent._taskWires.refuse(wire)
  // as for a ban
  ext.close()
}
