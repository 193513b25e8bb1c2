/** Peers that sign: real extensions, exchanges and verifications, on wires of the simulator and a virtual clock. */
import { createPrivateKey } from 'node:crypto'
import { VirtualClock } from '../../bench/simulator/clock.ts'
import { Tally } from '../../bench/simulator/tally.ts'
import { Transit } from '../../bench/simulator/transit.ts'
import { SimulatedWire } from '../../bench/simulator/wire.ts'
import { utBitworker } from '../../extensions/ut_bitworker/index.ts'
import type { AttestationRecord, LocalTask, MemberRecord, UtBitworker } from '../../extensions/ut_bitworker/index.ts'
import { sha256 } from '../../lib/base/digest.ts'
import { AttestationExchange } from '../../lib/peers/attestation-exchange.ts'
import { MemoryStatementLog } from '../../lib/peers/statement-log.ts'
import { TaskPeer } from '../../lib/peers/task-peer.ts'
import type { Result } from '../../lib/results/result.ts'
import { ResultTable } from '../../lib/results/result-table.ts'
import type { StatementLog } from '../../lib/store/types.ts'
import { signatureChecker } from '../../lib/task/ed25519.ts'
import { attest, signerOf, wireProofBytes } from '../../lib/trust/attest.ts'
import type { Signer } from '../../lib/trust/attest.ts'
import { openBatch } from '../../lib/trust/batch.ts'
import { certifyMember } from '../../lib/trust/member.ts'
import type { CheckedEvent } from '../../lib/verification/types.ts'
import { Verification } from '../../lib/verification/verification.ts'

const LATENCY_MS = 20
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex')

/** The key pair of a number or name. */
export function keyOf (name: number | string): Signer {
  const seed = sha256(Buffer.from(`key ${name}`))
  return signerOf(createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' }))
}

function taskOf (pieceCount: number): LocalTask {
  return { digest: new Uint8Array(32).fill(1), pieceCount, pieceLength: 100 }
}

/** The right result of a piece; `wrong`: one of the others. */
export function resultOf (index: number, wrong = 0): Result {
  return { size: 1, digest: sha256(Buffer.from(`${index} ${wrong}`)) }
}

/** Any attestation. */
export function attestation (signer: Signer, index: number, result = resultOf(index)): AttestationRecord {
  return attest(taskOf(1).digest, { index, ...result, kind: 0, basis: null }, signer)
}

/** Time and wires of a swarm. */
export class SignedSwarm {
  readonly clock = new VirtualClock()
  readonly tally = new Tally()
  readonly transit = new Transit(this.clock)
  readonly task: LocalTask

  constructor (pieceCount = 20) { this.task = taskOf(pieceCount) }

  async wait (ms: number): Promise<void> {
    let isOver = false
    this.clock.post(ms, () => { isOver = true })
    await this.clock.run(() => isOver, Infinity)
  }

  /** Connects two peers. Each gets what the other end is to it. */
  connect (a: Connectable, b: Connectable): void {
    const wire = ({ peerId }: Connectable): SimulatedWire =>
      new SimulatedWire(this, LATENCY_MS, { peerId, pieceCount: this.task.pieceCount })
    const [toB, toA] = [wire(b), wire(a)]
    SimulatedWire.link(toB, toA)
    a.meet(toB)
    b.meet(toA)
  }

  /** The extension of one end, which is to be opened. */
  extension (wire: SimulatedWire, key?: string): UtBitworker {
    const { clock, task } = this
    const schedule = (flush: () => void, ms: number): void => { clock.post(ms, flush) }
    const identity = key === undefined ? {} : { identity: { key, nonce: crypto.getRandomValues(new Uint8Array(16)) } }
    return new (utBitworker({ task, now: clock.now, schedule, ...identity }))(wire.asWire)
  }
}

/** One end of a connection. */
export interface Connectable {
  readonly peerId: Uint8Array
  meet (wire: SimulatedWire): void
}

/** Whose key vouches for it, whom it trusts, and what it remembers. */
export interface AttesterOptions {
  memberOf?: Signer
  trusts?: Signer[]
  log?: StatementLog
  /** default: all */
  wants?: (index: number) => boolean
  /** default: true */
  isOpen?: boolean
}

/** An honest peer. It announces what it stores, and does not download. */
export class Attester implements Connectable {
  readonly peerId: Uint8Array
  readonly signer: Signer
  readonly exchange: AttestationExchange
  readonly verification: Verification
  readonly peers: TaskPeer[] = []
  readonly banned: string[] = []
  readonly violations: string[] = []
  readonly proved: string[] = []
  readonly excluded: string[] = []
  readonly checked: CheckedEvent[] = []
  /** pieces whose attestation is not awaited any more */
  readonly ended: number[] = []
  /** number of signatures that were checked */
  checks = 0
  readonly results: ResultTable
  readonly #swarm: SignedSwarm

  constructor (swarm: SignedSwarm, id: number, opts: AttesterOptions = {}) {
    const { memberOf, trusts = [], log = new MemoryStatementLog(), wants = () => true, isOpen = true } = opts
    this.#swarm = swarm
    this.peerId = new Uint8Array(20).fill(id)
    this.signer = keyOf(id)
    const { task, clock } = swarm
    this.results = new ResultTable(task.pieceCount)
    this.verification = new Verification({
      pieceCount: task.pieceCount, policy: { kind: 'audit' }, ownKey: this.signer.key, random: () => 0.999
    }, {
      changed: () => {},
      refuted: () => {},
      check: () => {},
      checked: event => { this.checked.push(event) },
      suspected: () => {},
      excluded: (key, reason) => {
        this.excluded.push(key)
        this.exchange.exclude(key, reason)
      },
      level: () => {},
      dropped: () => {}
    })
    const check = signatureChecker()
    this.exchange = new AttestationExchange({
      task,
      clock,
      openLog: () => log,
      peerId: this.peerId,
      signer: this.signer,
      certificates: memberOf === undefined ? [] : [certificate(swarm, this.signer.key, memberOf)],
      trustedKeys: new Set(trusts.map(({ key }) => key)),
      isSignature: (...args) => {
        this.checks++
        return check(...args)
      },
      results: this.results,
      verification: this.verification
    }, {
      wantsAttestation: wants,
      attestationEnded: index => { this.ended.push(index) },
      proved: (_peer, key) => { this.proved.push(key) },
      misbehaved: (peer, reason) => {
        this.banned.push(reason)
        peer.ext.close()
      }
    })
    if (isOpen) this.exchange.open()
  }

  meet (wire: SimulatedWire): void {
    const ext = this.#swarm.extension(wire, this.signer.key)
    const peer = new TaskPeer(wire.asWire, ext, this.results.addPeer())
    this.peers.push(peer)
    this.exchange.add(peer)
    ext.on('results', records => { for (const { index, ...result } of records) peer.results.announce(index, result) })
    ext.on('violation', reason => { this.violations.push(reason) })
    ext.on('matched', () => { ext.announce(this.#own()) })
    wire.once('close', () => { this.exchange.remove(peer) })
    wire.open(ext)
  }

  /** It has computed the piece, and announces it. */
  compute (index: number, result = resultOf(index)): void {
    this.verification.computed(index, result)
    this.exchange.attest(index, result)
    this.store(index, result)
  }

  /** It has downloaded the piece. */
  store (index: number, result = resultOf(index)): void {
    this.results.setOwn(index, result)
    this.verification.stored(index, result)
    for (const { ext } of this.peers) ext.announce([{ index, ...result }])
  }

  /** It has computed the piece, although there was a result. */
  check (index: number, result = resultOf(index)): void {
    this.verification.computed(index, result)
    this.exchange.attest(index, result, { isCheck: true })
  }

  /** Who attests the piece, by what it knows. */
  attesters (index: number): string[] { return this.verification.statementsOf(index).map(({ key }) => key) }

  * #own (): Generator<{ index: number } & Result> {
    for (let index = 0; index < this.results.pieceCount; index++) {
      const own = this.results.own(index)
      if (own !== undefined) yield { index, ...own }
    }
  }
}

function certificate (swarm: SignedSwarm, key: string, by: Signer): MemberRecord {
  return certifyMember(swarm.task.digest, key, by)
}

/** A peer that says what it is told to. */
export class Actor implements Connectable {
  readonly peerId: Uint8Array
  readonly signer: Signer
  /** its ends of connections, in the order in which they were made */
  readonly exts: UtBitworker[] = []
  readonly wires: SimulatedWire[] = []
  /** what it has heard: attestations and the rest, by key of the message */
  readonly attestations: AttestationRecord[] = []
  readonly proofs: Uint8Array[] = []
  readonly members: MemberRecord[] = []
  readonly asks: number[] = []
  readonly results: number[] = []
  /** in the order of hearing: 'attestation 3', 'result 3' */
  readonly log: string[] = []
  readonly #swarm: SignedSwarm
  readonly #tells: boolean
  readonly #readsBatches: boolean
  /** number of batches heard; their attestations are in `attestations` */
  batches = 0

  /** @param opts what its handshake says, both true by default: `tells` its key; `readsBatches` */
  constructor (swarm: SignedSwarm, id: number, { tells = true, readsBatches = true } = {}) {
    this.#readsBatches = readsBatches
    this.#swarm = swarm
    this.#tells = tells
    this.peerId = new Uint8Array(20).fill(id)
    this.signer = keyOf(id)
  }

  get ext (): UtBitworker { return this.exts.at(-1)! }

  meet (wire: SimulatedWire): void {
    const ext = this.#swarm.extension(wire, this.#tells ? this.signer.key : undefined)
    this.exts.push(ext)
    this.wires.push(wire)
    ext.on('proof', proof => { this.proofs.push(proof) })
    ext.on('members', members => { this.members.push(...members) })
    ext.on('asks', indices => { this.asks.push(...indices) })
    if (!this.#readsBatches) delete (wire.extendedHandshake['bitworker'] as { batches?: number }).batches
    const hear = (records: AttestationRecord[]): void => {
      this.attestations.push(...records)
      this.log.push(...records.map(({ index }) => `attestation ${index}`))
    }
    ext.on('attestations', hear)
    ext.on('batches', batches => {
      this.batches += batches.length
      for (const { results, signature } of batches) {
        const { key } = ext.state.signing.peer!
        hear(openBatch(this.#swarm.task.digest, { results, key, signature }, signatureChecker())!)
      }
    })
    ext.on('results', records => {
      this.results.push(...records.map(({ index }) => index))
      this.log.push(...records.map(({ index }) => `result ${index}`))
    })
    wire.open(ext)
  }

  /** Proves its key, as it should. */
  prove (peerId: Uint8Array, signer = this.signer): void {
    const { own, peer } = this.ext.state.signing
    this.ext.prove(signer.sign(wireProofBytes({
      taskDigest: this.#swarm.task.digest,
      senderNonce: own!.nonce,
      receiverNonce: peer!.nonce,
      senderPeerId: this.peerId,
      receiverPeerId: peerId
    })))
  }
}
