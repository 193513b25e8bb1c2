/**
 * What a peer signs its results of one task with: its key, the certificate that makes it a member, and what is kept on
 * disk. Made by torrent.ts where results are verified, once the task's store is open.
 */
import { randomBytes } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { BRANCH_BYTES, NONCE_BYTES } from '../../extensions/ut_bitworker/constants.ts'
import type { MemberRecord, WireIdentity } from '../../extensions/ut_bitworker/index.ts'
import type { Clock } from '../base/clock.ts'
import { keepPeerKey, readPeerKey } from '../config/peer-key.ts'
import type { PeerKey } from '../config/peer-key.ts'
import { localTask } from '../connections/task-wire.ts'
import { AttestationExchange } from '../peers/attestation-exchange.ts'
import type { AttestationExchangeHost, AttestationExchangeParts } from '../peers/attestation-parts.ts'
import { VerificationFiles } from '../store/verification-files.ts'
import { signatureChecker } from '../task/ed25519.ts'
import type { Task } from '../task/task.ts'
import { signerOf } from '../trust/attest.ts'
import type { Signer } from '../trust/attest.ts'
import { certifyMember } from '../trust/member.ts'

type Refuse = AttestationExchangeParts['refuse']

/** Whose results are signed, and where that is kept. */
export interface SigningOptions {
  readonly task: Task
  /** the output folder, whose store is open */
  readonly folder: string
  /** secret keys, of `toSigningKey`: a lasting peer key (default: one for this task and folder) */
  readonly key?: KeyObject
  /** and the trusted key that vouches for it (default: none) */
  readonly member?: KeyObject
  /** 64 hex digits each: whose members are trusted here */
  readonly trustedKeys: ReadonlySet<string>
}

/** Our side of the attestations of one task. */
export class Signing {
  readonly #opts: SigningOptions
  readonly #peerKey: PeerKey
  readonly #signer: Signer
  readonly #certificates: readonly MemberRecord[]
  /** null: the folder is not ours yet */
  #files: VerificationFiles | null = null
  #keeping: Promise<void> = Promise.resolve()
  #isClosed = false

  private constructor (opts: SigningOptions, peerKey: PeerKey) {
    this.#opts = opts
    this.#peerKey = peerKey
    this.#signer = signerOf(peerKey.key)
    const { member, task } = opts
    this.#certificates = member === undefined ? [] : [certifyMember(task.digest, this.#signer.key, signerOf(member))]
  }

  /** Writes nothing. Rejects with the errors of `readPeerKey`. */
  static async read (opts: SigningOptions): Promise<Signing> {
    const { task, folder, key } = opts
    const file = VerificationFiles.peerKey(folder, task)
    return new Signing(opts, key === undefined ? await readPeerKey(file) : { key, isNew: false })
  }

  /** The store is open. Rejects with the errors of `keepPeerKey` and `VerificationFiles.open`. */
  async open (): Promise<void> {
    const { task, folder } = this.#opts
    if (this.#peerKey.isNew) await keepPeerKey(VerificationFiles.peerKey(folder, task), this.#peerKey.key)
    if (!this.#isClosed) this.#files = VerificationFiles.open(folder, task, BRANCH_BYTES)
  }

  /** Our peer key, 64 hex digits. */
  get key (): string { return this.#signer.key }

  /** What a new connection is told. */
  identity (): WireIdentity { return { key: this.#signer.key, nonce: new Uint8Array(randomBytes(NONCE_BYTES)) } }

  /** The exchange with the peers. It is to be opened when the verification has taken back what `load` returns. */
  exchange (
    { verification, results }: Pick<AttestationExchangeParts, 'verification' | 'results'>,
    host: AttestationExchangeHost,
    { refuse, ...surroundings }: { peerId: Uint8Array, clock: Clock, refuse?: Refuse | undefined }
  ): AttestationExchange {
    const { task, trustedKeys } = this.#opts
    return new AttestationExchange({
      verification,
      results,
      ...surroundings,
      ...(refuse !== undefined && { refuse }),
      trustedKeys,
      task: localTask(task),
      signer: this.#signer,
      certificates: this.#certificates,
      isSignature: signatureChecker(),
      openLog: () => this.#opened.statements
    }, host)
  }

  /** What `keep` was given last; undefined: nothing. */
  load (): unknown { return this.#opened.readLedger() }

  /** Keeps what a later run goes on with. If it cannot be written, that run knows less: nothing else depends on it. */
  keep (saved: unknown): void {
    this.#keeping = this.#keeping.then(async () => this.#files?.writeLedger(saved)).catch(() => {})
  }

  /** Resolves when everything is on disk. */
  async close (): Promise<void> {
    this.#isClosed = true
    await this.#keeping
    this.#files?.close()
  }

  get #opened (): VerificationFiles {
    if (this.#files === null) throw new Error('a bug: the store is not open')
    return this.#files
  }
}
