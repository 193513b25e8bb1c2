/**
 * Certificates of members: a trusted key vouches for a peer key, for one task (docs/ut_bitworker.md, "Members"). Pure.
 */
import type { MemberRecord } from '../../extensions/ut_bitworker/index.ts'
import { concatBytes } from '../base/bencode.ts'
import type { Signer } from './attest.ts'

const PREFIX = new TextEncoder().encode('BitWorker/member/1\0')

/** The bytes that a certificate's signature covers. @param key peer key, 64 hex digits */
export function memberBytes (taskDigest: Uint8Array, key: string): Uint8Array {
  return concatBytes([PREFIX, taskDigest, Uint8Array.from(Buffer.from(key, 'hex'))])
}

/**
 * Makes the certificate of a peer key (64 hex digits). It is worth nothing in another task.
 * @param signer the trusted key
 */
export function certifyMember (taskDigest: Uint8Array, key: string, signer: Signer): MemberRecord {
  return { key, trustedKey: signer.key, certificate: signer.sign(memberBytes(taskDigest, key)) }
}
