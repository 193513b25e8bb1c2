/**
 * The key that signs a peer's results of one task: made for the task and output folder, so that a restart is the same
 * peer, and two tasks do not show that they have the same volunteer.
 */
import { generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { BitWorkerError } from '../base/errors.ts'
import { publish } from '../system/atomic-file.ts'
import { errnoOf, ioError } from '../system/io-errors.ts'
import { readSigningKey } from './trust-files.ts'

/** `isNew`: it was made, and is not kept yet. */
export interface PeerKey { readonly key: KeyObject, readonly isNew: boolean }

/**
 * Reads the peer key, or makes one if there is none. Rejects with BW_ERR_KEY_FILE if the file belongs to another user,
 * is a symbolic link, or is readable by others; with BW_ERR_KEY if it is no key.
 * @param file see VerificationFiles.peerKey
 */
export async function readPeerKey (file: string): Promise<PeerKey> {
  try {
    return { key: await readSigningKey(file), isNew: false }
  } catch (error) {
    // ENOTDIR: the output folder is none, which the store says
    const errno = error instanceof BitWorkerError ? errnoOf(error.cause) : undefined
    if (errno !== 'ENOENT' && errno !== 'ENOTDIR') throw error
  }
  return { key: generateKeyPairSync('ed25519').privateKey, isNew: true }
}

/**
 * Writes a new peer key (mode 0600). Rejects with BW_ERR_DISK_FULL and BW_ERR_OUTPUT_FOLDER.
 * @param file in a folder that is locked
 */
export async function keepPeerKey (file: string, key: KeyObject): Promise<void> {
  try {
    await publish(file, String(key.export({ type: 'pkcs8', format: 'pem' })), 0o600)
  } catch (error) {
    throw ioError(error, file)
  }
}
