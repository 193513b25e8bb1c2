/**
 * What the verification of results keeps in a task's folder: the attestations, and the ledger. The peer key is beside
 * them; lib/config/peer-key.ts reads it. The folder must be locked by an open ComputeStore.
 */
import { closeSync, fstatSync, readFileSync } from 'node:fs'
import { replace } from '../system/atomic-file.ts'
import { openRegular } from '../system/file-io.ts'
import { ioError } from '../system/io-errors.ts'
import type { Task } from '../task/task.ts'
import { StoreLayout } from './files/layout.ts'
import { StatementFile } from './statement-file.ts'

/** More than a ledger of the largest task has. */
const MAX_LEDGER_BYTES = 256 << 20

/** The files of one task. */
export class VerificationFiles {
  readonly statements: StatementFile
  readonly #ledger: string

  private constructor (statements: StatementFile, ledger: string) {
    this.statements = statements
    this.#ledger = ledger
  }

  /** The path of the peer key of a task in an output folder. */
  static peerKey (folder: string, task: Pick<Task, 'infoHash'>): string {
    return new StoreLayout(folder, task.infoHash).peerKey
  }

  /**
   * Opens or creates the files. Throws BW_ERR_OUTPUT_FOLDER, BW_ERR_SYMLINK and BW_ERR_DISK_FULL.
   * @param folder the output folder
   * @param recordBytes bytes of an attestation (`BRANCH_BYTES`)
   */
  static open (folder: string, task: Task, recordBytes: number): VerificationFiles {
    const { attestations, ledger } = new StoreLayout(folder, task.infoHash)
    return new VerificationFiles(StatementFile.open(attestations, { ...task, recordBytes }), ledger)
  }

  /** The ledger as it was written last: any JSON value; undefined if there is none, or none that can be read. */
  readLedger (): unknown {
    let fd = -1
    try {
      fd = openRegular(this.#ledger)
      return fstatSync(fd).size > MAX_LEDGER_BYTES ? undefined : JSON.parse(readFileSync(fd, 'utf8')) as unknown
    } catch {
      return undefined
    } finally {
      if (fd !== -1) closeSync(fd)
    }
  }

  /** Replaces the ledger, atomically. Rejects with BW_ERR_DISK_FULL and BW_ERR_OUTPUT_FOLDER. */
  async writeLedger (ledger: unknown): Promise<void> {
    try {
      await replace(this.#ledger, JSON.stringify(ledger), 0o600)
    } catch (err) {
      throw ioError(err, this.#ledger)
    }
  }

  close (): void { this.statements.close() }
}
