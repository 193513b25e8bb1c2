/**
 * Batches: attestations that share a signature (docs/ut_bitworker.md, "Batches"). It covers the root of a hash tree of
 * 16 leaves, so that each of them can be passed on alone, with the way from its leaf to the root. Pure.
 */
import { statementBytes } from '../../extensions/ut_bitworker/index.ts'
import type {
  AttestationKind, AttestationRecord, Branch, ReceivedBatch, StatementRecord
} from '../../extensions/ut_bitworker/index.ts'
import { BATCH_RESULTS, BRANCH_HASHES_BYTES, DIGEST_BYTES } from '../../extensions/ut_bitworker/constants.ts'
import { concatBytes } from '../base/bencode.ts'
import { sha256 } from '../base/digest.ts'
import { attestedBytes } from './attest.ts'
import type { SignatureCheck, Signer } from './attest.ts'

const BATCH = new TextEncoder().encode('BitWorker/batch/1\0')
const COMPUTED: AttestationKind = 0
const LEAF = Uint8Array.of(0)
const NODE = Uint8Array.of(1)
const NO_LEAF = new Uint8Array(DIGEST_BYTES)

/** The bytes that a batch's signature covers. */
function batchBytes (taskDigest: Uint8Array, root: Uint8Array): Uint8Array {
  return concatBytes([BATCH, taskDigest, root])
}

/** The hash tree of at most BATCH_RESULTS statements: the root, and each one's way to it. */
function treeOf (statements: readonly StatementRecord[]): { root: Uint8Array, branches: Branch[] } {
  const hashes = statements.map(() => new Uint8Array(BRANCH_HASHES_BYTES))
  let level = Array.from({ length: BATCH_RESULTS }, (_, i) =>
    i < statements.length ? leafOf(statements[i]!) : NO_LEAF)
  for (let depth = 0; level.length > 1; depth++) {
    const below = level
    hashes.forEach((branch, i) => { branch.set(below[(i >> depth) ^ 1]!, depth * DIGEST_BYTES) })
    level = Array.from({ length: below.length / 2 }, (_, i) => nodeOf(below[2 * i]!, below[2 * i + 1]!))
  }
  return {
    root: level[0]!,
    branches: hashes.map((each, position) => ({ position, hashes: each }))
  }
}

/**
 * Signs 2 to BATCH_RESULTS statements about different pieces together. Throws BW_ERR_RECORD for one that fits no
 * record.
 */
export function signBatch (
  taskDigest: Uint8Array, statements: readonly StatementRecord[], signer: Signer
): AttestationRecord[] {
  const { root, branches } = treeOf(statements)
  const signature = signer.sign(batchBytes(taskDigest, root))
  return branches.map((branch, i) => attestation(statements[i]!, { key: signer.key, signature, branch }))
}

/** The attestations of a batch of computed results; null if the signature is wrong. */
export function openBatch (
  taskDigest: Uint8Array, { results, key, signature }: ReceivedBatch & { key: string }, isSignature: SignatureCheck
): AttestationRecord[] | null {
  const statements = results.map(({ index, size, digest }) => ({ index, size, digest, kind: COMPUTED, basis: null }))
  const { root, branches } = treeOf(statements)
  if (!isSignature(key, batchBytes(taskDigest, root), signature)) return null
  return branches.map((branch, i) => attestation(statements[i]!, { key, signature, branch }))
}

function attestation (
  statement: StatementRecord, signed: Required<Omit<AttestationRecord, keyof StatementRecord>>
): AttestationRecord {
  return { ...statement, ...signed }
}

/** The bytes that an attestation's signature covers, alone or in a batch. */
export function signedBytes (taskDigest: Uint8Array, record: AttestationRecord): Uint8Array {
  if (record.branch === undefined) return attestedBytes(taskDigest, record)
  const { position, hashes } = record.branch
  let digest = leafOf(record)
  for (let depth = 0; depth * DIGEST_BYTES < hashes.length; depth++) {
    const beside = hashes.subarray(depth * DIGEST_BYTES, (depth + 1) * DIGEST_BYTES)
    digest = ((position >> depth) & 1) === 0 ? nodeOf(digest, beside) : nodeOf(beside, digest)
  }
  return batchBytes(taskDigest, digest)
}

function leafOf (statement: StatementRecord): Uint8Array {
  return sha256(concatBytes([LEAF, statementBytes(statement)]))
}

function nodeOf (left: Uint8Array, right: Uint8Array): Uint8Array { return sha256(concatBytes([NODE, left, right])) }
