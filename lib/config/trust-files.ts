/** The user's signing key and trust list on disk, in $XDG_CONFIG_HOME/bitworker, by default ~/.config/bitworker. */
import { generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { constants } from 'node:fs'
import { mkdir, open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { homedir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { hexOf } from '../base/digest.ts'
import { BitWorkerError, errorAbout } from '../base/errors.ts'
import type { BitWorkerErrorOptions, ErrorCode, Remedy } from '../base/errors.ts'
import { publish, replace } from '../system/atomic-file.ts'
import { errnoOf } from '../system/io-errors.ts'
import { publicKeyOf, toSigningKey } from '../task/ed25519.ts'
import { formatPublicKey } from '../task/key-format.ts'
import { formatTrustStore, parseTrustStore } from '../trust/list-format.ts'
import type { TrustStore } from '../trust/list-format.ts'

/** Far more than a key, or a list of all the authors one could know, needs. */
const MAX_BYTES = 1 << 20
const MAY_READ = 0o044
const MAY_WRITE = 0o022

/** The path of a file in the configuration folder. The XDG Base Directory Specification ignores a relative path. */
function configFile (name: string): string {
  const xdg = process.env['XDG_CONFIG_HOME'] ?? ''
  return path.join(path.isAbsolute(xdg) ? xdg : path.join(homedir(), '.config'), 'bitworker', name)
}

/** The default path of the user's signing key. */
export function defaultKeyFile (): string {
  return configFile('signing.key')
}

/** The path of the public key that belongs to the secret key at `file`. */
export function publicFileOf (file: string): string {
  return `${file.replace(/\.key$/, '')}.pub`
}

/** A new key in two files: the secret key (PEM, mode 0600) and, beside it, the public key (`.pub`). */
export interface NewKey { key: string, file: string, publicFile: string }

/** Creates a signing key. Rejects with BW_ERR_FILE_EXISTS unless `force` is set, and with errors of the file system. */
export async function createSigningKey (
  file: string, { label, force }: { label?: string | undefined, force: boolean }
): Promise<NewKey> {
  const { privateKey } = generateKeyPairSync('ed25519')
  const key = hexOf(publicKeyOf(privateKey))
  const publicFile = publicFileOf(file)
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
  try {
    await (force ? replace : publish)(file, String(privateKey.export({ type: 'pkcs8', format: 'pem' })), 0o600)
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error
    throw new BitWorkerError(
      'BW_ERR_FILE_EXISTS',
      'usage',
      `${file}: A key already exists. Once overwritten, it could never sign again.`
    )
  }
  await replace(publicFile, formatPublicKey({ key, ...(label !== undefined && { label }) }), 0o644)
  return { key, file, publicFile }
}

/**
 * Reads a secret key: Ed25519, PKCS #8 in PEM. Rejects with BW_ERR_KEY_FILE if the file is missing, not owned by this
 * user, a symbolic link, or readable by others; with BW_ERR_KEY if the key is not valid.
 * @param file default: signing.key in the configuration folder
 */
export async function readSigningKey (file: string = defaultKeyFile()): Promise<KeyObject> {
  const pem = await readOwn(file, {
    code: 'BW_ERR_KEY_FILE',
    mayNot: MAY_READ | MAY_WRITE,
    flags: constants.O_NOFOLLOW,
    missing: ['Create a key, or name another file.', 'another-key']
  })
  try {
    return toSigningKey(pem)
  } catch (error) {
    throw error instanceof BitWorkerError ? errorAbout(file, error) : error
  }
}

/**
 * Reads the user's trust list, which is empty if there is no file. Rejects with BW_ERR_TRUST_STORE if the list is
 * malformed, not owned by this user, or writable by others.
 * @param file default: trust.json in the configuration folder
 */
export async function readTrustStore (file: string = configFile('trust.json')): Promise<TrustStore> {
  let text: string
  try {
    text = await readOwn(file, { code: 'BW_ERR_TRUST_STORE', mayNot: MAY_WRITE, flags: 0, missing: ['Restore it.'] })
  } catch (error) {
    if (error instanceof BitWorkerError && errnoOf(error.cause) === 'ENOENT') return { authors: [] }
    throw error
  }
  return parseTrustStore(text)
}

/** Writes the user's trust list, readable only by the user. Rejects with errors of the file system. */
export async function writeTrustStore (store: TrustStore): Promise<void> {
  const file = configFile('trust.json')
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
  await replace(file, formatTrustStore(store), 0o600)
}

interface Demands { code: ErrorCode, mayNot: number, flags: number, missing: [hint: string, remedy?: Remedy] }

/**
 * Reads a file that belongs to this user (or root) and that others cannot change. The checks apply to the open file, so
 * that the file that is read is the one that was checked.
 */
async function readOwn (file: string, { code, mayNot, flags, missing: [hint, remedy] }: Demands): Promise<string> {
  const refuse = (why: string, options?: BitWorkerErrorOptions): never => {
    throw new BitWorkerError(code, 'usage', `${file}: ${why}`, options)
  }
  let handle: FileHandle
  try {
    // must not block on a FIFO in its place
    handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK | flags)
  } catch (error) {
    const cause = error
    const errno = errnoOf(error)
    if (errno === 'ENOENT') return refuse(`No such file. ${hint}`, { cause, remedy })
    if (errno === 'ELOOP') return refuse('This is a symbolic link. Name the file itself.', { cause })
    return refuse(`The file cannot be read (${errno}). Check its permissions.`, { cause })
  }
  try {
    const { uid, mode, size } = await handle.stat()
    if ((mode & constants.S_IFMT) !== constants.S_IFREG || size > MAX_BYTES) {
      return refuse('This is not a file of the expected kind. Check the path.')
    }
    if (uid !== 0 && uid !== process.geteuid!()) return refuse('The file belongs to another user. Use one of your own.')
    const what = (mode & mayNot & MAY_WRITE) === 0 ? 'read' : 'change'
    if ((mode & mayNot) !== 0) return refuse(`Others can ${what} this file. Run chmod 600 ${file} to prevent that.`)
    return await handle.readFile('utf8')
  } finally {
    await handle.close()
  }
}
