/** The test vectors beside docs/ut_bitworker.md. */
import { readFileSync } from 'node:fs'
import type { AttestationKind, StatementRecord } from '../../extensions/ut_bitworker/attestation-records.ts'
import type { Message } from '../../extensions/ut_bitworker/codec.ts'
import type { FailureRecord } from '../../extensions/ut_bitworker/index.ts'
import type { ClaimRecord, RelayRecord, WithdrawalRecord } from '../../extensions/ut_bitworker/records.ts'

interface JsonMessage {
  task?: string
  results?: Array<{ index: number, size: number, digest: string }>
  claims?: ClaimRecord[]
  releases?: number[]
  backups?: ClaimRecord[]
  neighbours?: string[]
  parted?: string[]
  relays?: RelayRecord[]
  withdrawals?: WithdrawalRecord[]
  sealed?: string[]
  proof?: string[]
  members?: Array<{ key: string, trustedKey: string, certificate: string }>
  attestations?: Array<JsonStatement & { key: string, signature: string }>
  branches?: Array<JsonStatement & { key: string, signature: string, position: number, hashes: string }>
  batches?: Array<{ count: number, signature: string }>
  asks?: number[]
  failures?: FailureRecord[]
}

interface JsonStatement { index: number, size: number, digest: string, kind: AttestationKind, basis: string | null }

interface Signed { secretKey: string, key: string, signed: string, signature: string }

interface CollisionVector {
  kind: 'collision'
  index: number
  localElapsedMs: number
  remoteElapsedMs: number
  localPeerId: string
  remotePeerId: string
  keeps: boolean
}

export type Vector = { name: string } & (
  | { kind: 'task', info: string, infoHash: string, pieceCount: number, pieceLength: number, digest: string }
  | { kind: 'legacy', command: string, completeCommand?: string, info: string, infoHash: string, digest: string }
  | { kind: 'handshake', frame: string, task?: string, key?: string, nonce?: string }
  | { kind: 'message', hex: string, message: JsonMessage, decodeOnly?: boolean }
  | { kind: 'violation', hex: string, beforeTask?: boolean }
  | { kind: 'weight', peerId: string, index: number, weight: number }
  | { kind: 'attestation', statement: JsonStatement } & Signed
  | { kind: 'batch', statements: JsonStatement[], branches: string[] } & Signed
  | { kind: 'certificate', peerKey: string } & Signed
  | { kind: 'proof', senderNonce: string, receiverNonce: string, senderPeerId: string, receiverPeerId: string } & Signed
  | CollisionVector)

/** All of docs/ut_bitworker-vectors.json. */
export function bitworkerVectors (): Vector[] {
  return JSON.parse(readFileSync(new URL('../../docs/ut_bitworker-vectors.json', import.meta.url), 'utf8')) as Vector[]
}

/** The vectors of one kind. */
export function ofKind<K extends Vector['kind']> (vectors: Vector[], kind: K): Array<Extract<Vector, { kind: K }>> {
  return vectors.filter((vector): vector is Extract<Vector, { kind: K }> => vector.kind === kind)
}

export function fromHex (hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'))
}

export function toHex (bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

/** The message of a vector in the form that the codec takes and gives. */
export function messageOf (json: JsonMessage): Message {
  const { task, results, proof, members, attestations, branches, batches, ...others } = json
  return {
    ...(task !== undefined && { task: fromHex(task) }),
    ...(results !== undefined && {
      results: results.map(({ index, size, digest }) => ({ index, size, digest: fromHex(digest) }))
    }),
    ...(proof !== undefined && { proof: proof.map(fromHex) }),
    ...(members !== undefined && {
      members: members.map(({ certificate, ...keys }) => Object.assign(keys, { certificate: fromHex(certificate) }))
    }),
    ...(attestations !== undefined && {
      attestations: attestations.map(({ key, signature, ...statement }) =>
        Object.assign(statementOf(statement), { key, signature: fromHex(signature) }))
    }),
    ...(branches !== undefined && {
      branches: branches.map(({ key, signature, position, hashes, ...statement }) => Object.assign(
        statementOf(statement), { key, signature: fromHex(signature), branch: { position, hashes: fromHex(hashes) } }
      ))
    }),
    ...(batches !== undefined && {
      batches: batches.map(({ count, signature }) => ({ count, signature: fromHex(signature) }))
    }),
    ...others
  }
}

/** The same for a statement. */
export function statementOf ({ digest, basis, ...others }: JsonStatement): StatementRecord {
  return { ...others, digest: fromHex(digest), basis: basis === null ? null : fromHex(basis) }
}
