/**
 * The layout of an output folder. Paths only.
 *
 *   <path>/<file paths of the task>                finished files
 *   <path>/.bitworker/<info-hash>/task.bitworker   the task file
 *                                 sealed.torrent   the finished files as an ordinary torrent, if the task was sealed
 *                                 p/000012         parts, by global piece index
 *                                 f/000000         drafts of files, by file index
 *                                 journal, lock, partial.json
 *                                 control        the socket of the client that has the folder open (lib/control/)
 *                                 peer.key, attestations, ledger   only where results are verified
 *                                 log/             what became of each piece (piece-log.ts)
 *                                 work/<id>, …     scratch folders and unfinished output
 */
import path from 'node:path'
import type { Task } from '../../task/task.ts'

/** The paths of a task in an output folder, all absolute. */
export class StoreLayout {
  /** the output folder */
  readonly folder: string
  /** contains everything of this task except its finished files */
  readonly root: string
  readonly taskFile: string
  readonly sealed: string
  readonly parts: string
  readonly drafts: string
  readonly journal: string
  readonly lock: string
  readonly control: string
  /** the secret key that signs our results */
  readonly peerKey: string
  readonly attestations: string
  readonly ledger: string
  readonly log: string
  readonly work: string

  constructor (folder: string, infoHash: string) {
    this.folder = path.resolve(folder)
    this.root = path.join(this.folder, '.bitworker', infoHash)
    this.taskFile = path.join(this.root, 'task.bitworker')
    this.sealed = path.join(this.root, 'sealed.torrent')
    this.parts = path.join(this.root, 'p')
    this.drafts = path.join(this.root, 'f')
    this.journal = path.join(this.root, 'journal')
    this.lock = path.join(this.root, 'lock')
    this.control = path.join(this.root, 'control')
    this.peerKey = path.join(this.root, 'peer.key')
    this.attestations = path.join(this.root, 'attestations')
    this.ledger = path.join(this.root, 'ledger')
    this.log = path.join(this.root, 'log')
    this.work = path.join(this.root, 'work')
  }

  /** The part file of a piece. */
  part (index: number): string {
    return path.join(this.parts, partName(index))
  }

  /** The draft of a file, which its parts are written to. */
  draft (file: number): string {
    return path.join(this.drafts, partName(file))
  }

  /** The final path of a file of the task. */
  final (file: Task['files'][number]): string {
    return path.join(this.folder, file.path)
  }
}

/** The name of a part or draft: at least six digits, so that names sort in the order of the pieces. */
export function partName (index: number): string {
  return String(index).padStart(6, '0')
}
