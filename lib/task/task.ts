/**
 * Creates, reads and writes task files. Uses no file, network, clock or random source. The rules for the contents are
 * in info.ts (names, lengths, files), names.ts, command.ts and trackers.ts. Called by lib/webtorrent/client.ts and the
 * command line.
 */
import { concatBytes, decodeDict, encode } from '../base/bencode.ts'
import type { Bdict, Bvalue, DecodedDict, Encodable } from '../base/bencode.ts'
import { sha1Hex } from '../base/digest.ts'
import { BitWorkerError } from '../base/errors.ts'
import { commandsDict, readBitworker, readCommands, taskDigest } from './command.ts'
import { createInfo, createRemarks } from './create.ts'
import { readInfo } from './info.ts'
import { readSignatures, signaturesDict } from './signature.ts'
import { readRemark, readRemarks } from './trackers.ts'
import type { Remarks } from './trackers.ts'
import { taskError, TaskFlaw } from './types.ts'
import type { CreateTaskOptions, ParseTaskOptions, Task, TaskSignature } from './types.ts'
import { versionFor } from './unsupported.ts'

export { magnetOf } from './magnet.ts'
export { taskDigest } from './command.ts'
export { locate, workItemEnv } from './pieces.ts'
export { isTask, isTaskObject } from './sniff.ts'
export { unsupportedProblem } from './unsupported.ts'
export { usableTrackers } from './trackers.ts'
export type { Part } from './pieces.ts'
export type {
  CreateTaskOptions,
  EmbeddedInput,
  InputSplit,
  OutputInput,
  ParseTaskOptions,
  Task,
  TaskFile,
  TaskInput,
  TaskNeeds,
  TaskSignature,
  TorrentInput
} from './types.ts'

/** Room for 10 000 files with long names. Anything larger is an attack. */
const MAX_TASK_BYTES = 4 * 1024 * 1024
/** Smaller than a file, so that metadata from a peer can always be written as a task file. */
const MAX_INFO_BYTES = 3 * 1024 * 1024
/** The keys that make an info dictionary an ordinary torrent's: BEP 3, BEP 30, BEP 52. */
const ORDINARY_KEYS = ['pieces', 'root hash', 'file tree', 'meta version']
const INFO_KEY = new TextEncoder().encode('4:info')
const DICT_END = new TextEncoder().encode('e')

/**
 * Makes a task. Equal options give equal info-hashes. Throws BW_ERR_TASK_OPTIONS for malformed options, and the errors
 * of `parseTask` for options beyond its limits, all with blame 'usage'.
 */
export function createTask (opts: CreateTaskOptions): Task {
  if (typeof opts !== 'object' || opts === null) {
    throw taskError('BW_ERR_TASK_OPTIONS', 'createTask needs an object of options.', 'usage')
  }
  try {
    const { comment: _, ...remarks } = opts
    return parseTask(joinFile(createRemarks(remarks), encode(createInfo(opts))))
  } catch (error) {
    if (!(error instanceof BitWorkerError)) throw error
    throw new BitWorkerError(error.code, 'usage', error instanceof TaskFlaw ? `${error.what}.` : error.message, {
      cause: error, remedy: error.remedy
    })
  }
}

/**
 * Reads a task file: a .bitworker file, or a legacy one with its commands at the top level, which is converted unless
 * `legacySwarm` is set. Throws BW_ERR_TASK_TOO_LARGE, BW_ERR_TASK_NOT_BENCODE, BW_ERR_TASK_NO_INFO,
 * BW_ERR_TASK_ORDINARY, BW_ERR_TASK_SIGNATURE for an invalid signature, and the errors of `readInfo`, `readBitworker`
 * and `readCommands`.
 */
export function parseTask (bytes: Uint8Array, { legacySwarm = false }: ParseTaskOptions = {}): Task {
  checkSize(bytes, 'file', MAX_TASK_BYTES)
  const { dict: root, sorted, span } = decodeFile(bytes, true)
  const info = root.get('info')
  if (!(info instanceof Map)) {
    throw taskError('BW_ERR_TASK_NO_INFO', 'The file has no info dictionary, so it is neither a task nor a torrent.')
  }
  refuseOrdinary(info)
  const legacy = !info.has('bitworker')
  // Only the writer of legacy files did not sort its keys.
  if (!legacy && !sorted) throw notBencode('Its keys are not sorted.')
  const raw = new Uint8Array(span('info'))
  if (!legacy) return assemble(raw, info, readRemarks(root, info), { signatures: root.get('signatures') })
  return legacySwarm ? assemble(raw, info, readRemarks(root, info), { legacyRoot: root }) : convert(raw, info, root)
}

/** The same task, with its commands covered by the info-hash. */
function convert (raw: Uint8Array, info: Bdict, root: Bdict): Task {
  const commands = commandsDict(readCommands(root))
  const bitworker = { version: versionFor(commands), ...commands }
  const converted = encode(new Map<string, Encodable>([...info, ['bitworker', bitworker]]))
  const remarks = readRemarks(root, info)
  return { ...assemble(converted, decodeFile(converted, false).dict, remarks, {}), convertedFrom: sha1(raw) }
}

/** Writes a task file that contains the info dictionary as received. A legacy task is written as a legacy file. */
export function encodeTask (task: Task): Uint8Array<ArrayBuffer> {
  const { comment, ...others } = task
  const isInside = comment === undefined || readRemark(decodeFile(task.info, false).dict, 'comment') === comment
  const remarks = createRemarks(isInside ? others : task)
  return joinFile({ ...(task.legacy && commandsDict(task)), ...remarks }, task.info, task.signatures)
}

/** Checked before anything is read or hashed, so that 100 MB of garbage cost nothing. */
function checkSize (bytes: Uint8Array, what: string, maxBytes: number): void {
  if (!(bytes instanceof Uint8Array)) throw notBencode('It is not a Uint8Array.')
  if (bytes.length <= maxBytes) return
  throw taskError(
    'BW_ERR_TASK_TOO_LARGE',
    `The ${what} has ${bytes.length} bytes, more than the ${maxBytes} allowed. Check that it is the right one.`
  )
}

function decodeFile (bytes: Uint8Array, unsortedRootKeys: boolean): DecodedDict {
  try {
    return decodeDict(bytes, { unsortedRootKeys, maxBytes: MAX_TASK_BYTES })
  } catch (error) {
    throw notBencode((error as Error).message, error)
  }
}

/**
 * Refuses a dictionary with both `bitworker` and piece hashes: BitWorker and other clients would read it differently.
 */
function refuseOrdinary (info: Bdict): void {
  if (!ORDINARY_KEYS.some(key => info.has(key))) return
  throw taskError(
    'BW_ERR_TASK_ORDINARY', 'This is an ordinary torrent (it has piece hashes), not a task. Add it as a torrent.'
  )
}

/** The entries of the root dictionary beside the info dictionary. */
interface Beside {
  /** the root dictionary of a legacy file, which contains the commands */
  legacyRoot?: Bdict
  signatures?: Bvalue | undefined
}

function assemble (raw: Uint8Array, info: Bdict, remarks: Remarks, { legacyRoot, signatures }: Beside): Task {
  checkSize(raw, 'info dictionary', MAX_INFO_BYTES)
  const shape = readInfo(info)
  const commands =
    legacyRoot === undefined ? readBitworker(info.get('bitworker'), shape.pieceCount) : readCommands(legacyRoot)
  const digest = taskDigest(raw, legacyRoot === undefined ? undefined : commands)
  return {
    infoHash: sha1(raw),
    info: raw,
    digest,
    ...shape,
    ...commands,
    ...remarks,
    signatures: readSignatures(signatures, digest),
    legacy: legacyRoot !== undefined
  }
}

/**
 * `info` sorts after every other key that is written, except `signatures`, so its bytes can be inserted between them.
 */
function joinFile (
  root: Encodable, info: Uint8Array, signatures: readonly TaskSignature[] = []
): Uint8Array<ArrayBuffer> {
  const after = encode({ signatures: signaturesDict(signatures) }).subarray(1, -1)
  return concatBytes([encode(root).subarray(0, -1), INFO_KEY, info, after, DICT_END])
}

function sha1 (bytes: Uint8Array): string {
  return sha1Hex(bytes)
}

function notBencode (reason: string, cause?: unknown): BitWorkerError {
  return taskError(
    'BW_ERR_TASK_NOT_BENCODE',
    `This is not a task file, or it is damaged. Get it again. ${reason}`,
    'input',
    cause
  )
}
