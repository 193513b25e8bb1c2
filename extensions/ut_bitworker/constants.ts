/**
 * The constants of the ut_bitworker protocol (docs/ut_bitworker.md). Only constants may be in this file; the other
 * files of this folder read them. The comment of each limit says what it protects.
 */

/** The extension's name in the `m` dictionary of the extended handshake (BEP 10). */
export const EXTENSION_NAME = 'ut_bitworker'

/**
 * `v` of the `bitworker` dictionary. Peers with a higher version still understand this one: keys may be added, records
 * never change.
 */
export const PROTOCOL_VERSION = 1

/** Bytes of a task digest, and of a result's digest (SHA-256). */
export const DIGEST_BYTES = 32

/** Bytes of one record of `results`: index u32, size u64, SHA-256. */
export const RESULT_BYTES = 44

/** Bytes of one record of `claims`: index u32, elapsed ms u32, estimate ms u32. */
export const CLAIM_BYTES = 12

/** Bytes of one record of `releases`: index u32. */
export const RELEASE_BYTES = 4

/** Bytes of a peer id (BEP 3). */
export const PEER_ID_BYTES = 20

/** Bytes of an info-hash (BEP 3): one record of `sealed`. */
export const INFO_HASH_BYTES = 20

/** Bytes of one record of `relays`: index, elapsed ms, estimate ms, first elapsed ms, u32 each; kind u8; peer id. */
export const RELAY_BYTES = 37

/** Bytes of one record of `withdrawals`: index u32, peer id. */
export const WITHDRAWAL_BYTES = 24

/** Bytes of a public key (Ed25519): of a peer, or of whoever vouches for it. */
export const KEY_BYTES = 32

/** Bytes of a signature (Ed25519), and of one record of `proof`. */
export const SIGNATURE_BYTES = 64

/** Bytes of the random number in the extended handshake: a proof is worth nothing on another connection. */
export const NONCE_BYTES = 16

/** Bytes of one record of `members`: peer key, trusted key, certificate. */
export const MEMBER_BYTES = 128

/** Bytes of an attestation that are signed: index u32, size u64, SHA-256, kind u8, basis (32 bytes). */
export const STATEMENT_BYTES = 77

/** Bytes of one record of `attestations`: those, peer key, signature. */
export const ATTESTATION_BYTES = 173

/** Most results that one signature covers: the leaves of its hash tree. */
export const BATCH_RESULTS = 16

/** The way from a leaf to the root: one digest for each of the four levels. */
export const BRANCH_HASHES_BYTES = 4 * DIGEST_BYTES

/** Bytes of one record of `branches`: an attestation, position u8, four digests. */
export const BRANCH_BYTES = ATTESTATION_BYTES + 1 + BRANCH_HASHES_BYTES

/** Bytes of one record of `batches`: count u8, signature. */
export const BATCH_BYTES = 1 + SIGNATURE_BYTES

/** Bytes of one record of `asks`: index u32. */
export const ASK_BYTES = 4

/** Bytes of one record of `failures`: index u32, kind u8, value u8, the last line of stderr (UTF-8). */
export const FAILURE_BYTES = 128

/** The largest u32. Longer times are sent as this (49 days). */
export const MAX_UINT32 = 0xffffffff

/** SHA-256 of the empty string: the only valid digest of a piece of 0 bytes. */
export const EMPTY_DIGEST = Uint8Array.from([
  0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
  0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55
])

/** Longest message in bytes. Limits how much one peer can make us store and decode at a time. */
export const MAX_MESSAGE_BYTES = 65_536

/** Most records under one key. Limits the work that one message can cause. */
export const MAX_RECORDS = 1_024

/** Deepest nesting of a message, whose dictionary is level 1. Prevents an unknown key from exhausting the stack. */
export const MAX_DEPTH = 16

/**
 * Most values in a message, including dictionary keys. Prevents many tiny values from using far more memory than their
 * bytes.
 */
export const MAX_TOKENS = 4_096

/**
 * Live claims that a peer may have on one connection. A peer that claims every piece and delivers none must not stop
 * the others.
 */
export const MAX_CLAIMS = 64

/**
 * Live relayed claims that one connection may bring: those of 16 full claimants, more than a neighbourhood runs at a
 * time.
 */
export const MAX_RELAYS = 1_024

/**
 * Live relayed claims for one piece: normally at most three peers compute a piece at a time, and a list this short is
 * fast to search.
 */
export const MAX_PIECE_RELAYS = 16

/** Neighbours that a peer may name on one connection: more than clients connect to (WebTorrent: 55). */
export const MAX_NEIGHBOURS = 256

/** Certificates that a peer may send on one connection: each costs a signature check. */
export const MAX_MEMBERS = 64

/** Attestations per second that a peer may send on one connection: each costs a signature check (64 µs). */
export const ATTESTATIONS_PER_SECOND = 128

/** The same, at once: a snapshot begins with as many. */
export const ATTESTATION_BURST = 512

/** The same between two members of one trusted key: own machines compute thousands of small pieces per second. */
export const MEMBER_ATTESTATIONS_PER_SECOND = 4_096
export const MEMBER_ATTESTATION_BURST = 8_192

/** Pieces that a peer may give up on one connection, with a reason: each is kept in a log. */
export const MAX_FAILURES = 1_024

/** A claim that is not renewed for this long lapses: a peer that hangs must not keep its pieces for ever. */
export const CLAIM_LEASE_MS = 90_000

/** Live claims are sent again at least this often, so that a claim lapses only if two renewals are late. */
export const CLAIM_RENEW_MS = 30_000

/** Number of violations that closes the connection: tolerates a mistake, but not a flood of garbage. */
export const MAX_VIOLATIONS = 3

/**
 * Shortest interval between flushes. Combines the announcements of many tiny pieces into one message, without a delay
 * that a person would notice.
 */
export const FLUSH_MS = 10
