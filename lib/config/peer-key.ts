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

/**
 * Reads the peer key, or makes one (mode 0600) if there is none. Rejects with BW_ERR_KEY_FILE if the file belongs to
 * another user, is a symbolic link, or is readable by others; with BW_ERR_KEY if it is no key; with BW_ERR_DISK_FULL
 * and BW_ERR_OUTPUT_FOLDER if it cannot be made.
 * @param file in a folder that is locked (see VerificationFiles.peerKey)
 */
export async function openPeerKey (file: string): Promise<KeyObject> {
  try {
    return await readSigningKey(file)
  } catch (error) {
    if (!(error instanceof BitWorkerError) || errnoOf(error.cause) !== 'ENOENT') throw error
  }
  const { privateKey } = generateKeyPairSync('ed25519')
  try {
    await publish(file, String(privateKey.export({ type: 'pkcs8', format: 'pem' })), 0o600)
  } catch (error) {
    throw ioError(error, file)
  }
  return privateKey
}
