/**
 * Decides whether a task may start, by what its signatures mean to this user. Pure: the trust list and the time are
 * arguments. Called by the command line and by applications.
 */
import { checkSignatures } from '../task/signature.ts'
import type { Task, TaskSignature } from '../task/types.ts'
import type { KnownAuthor, TrustStore } from './list-format.ts'

const HOUR_MS = 3_600_000

/** What the user's trust list says about one signer of a task. */
export interface SignerJudgement {
  /** 64 hex digits */
  key: string
  /**
   * 'trusted': trusted, and the task is within the scope; 'limited': trusted, but not for this task; 'unknown': not in
   * the list; 'denied': listed, and never allowed to run
   */
  standing: 'trusted' | 'limited' | 'unknown' | 'denied'
  /** the label of the key in the trust list */
  label?: string
  /** the label that the signer chose; for an unknown key, not to be believed */
  claimed?: string
  /** when the task was signed, according to the signer */
  time: Date
  /** why the standing is 'limited' */
  why?: string
}

/** The result for a task and all its signers. */
export interface Judgement {
  /** 'trusted': start without asking; 'ask': ask the user; 'denied': do not start, whatever the user answers */
  verdict: 'trusted' | 'ask' | 'denied'
  signers: SignerJudgement[]
  /**
   * bytes that each complete command may write when it starts without asking; undefined: the volunteer's general limit
   */
  fileBytes?: number
}

/**
 * Judges a task by its signatures. They are verified again, because a `Task` can come from anywhere. One denied signer
 * outweighs all others. Throws BW_ERR_TASK_SIGNATURE for an invalid signature.
 *
 * @param needing tasks that read the task's output, directly or through others: their signers vouch for it as well,
 * since they signed its digest
 */
export function judgeTask (task: Task, { authors }: TrustStore, now: Date, needing: readonly Task[] = []): Judgement {
  const own = [task, ...needing].flatMap(({ signatures, digest }) => checkSignatures([...signatures], digest))
  const signers = own
    .filter(({ publicKey }, i) => own.findIndex(each => each.publicKey === publicKey) === i)
    .map(signature => judgeSigner(task, signature, authors.find(({ key }) => key === signature.publicKey), now))
  const has = (standing: SignerJudgement['standing']): boolean => signers.some(signer => signer.standing === standing)
  const fileBytes = fileBytesOf(
    task,
    signers.filter(({ standing }) => standing === 'trusted').map(({ key }) => authors.find(each => each.key === key)!)
  )
  return {
    verdict: has('denied') ? 'denied' : has('trusted') ? 'trusted' : 'ask',
    signers,
    ...(fileBytes !== undefined && { fileBytes })
  }
}

/** The task does not say how much a complete command writes. The scope limits it, for all files together. */
function fileBytesOf (task: Task, trusted: KnownAuthor[]): number | undefined {
  if (task.completeCommand === undefined || trusted.length === 0) return undefined
  const most = Math.max(...trusted.map(({ maxBytes = Infinity }) => maxBytes))
  return most === Infinity ? undefined : Math.max(1, Math.floor(most / task.files.length))
}

function judgeSigner (
  task: Task, { publicKey, label, time }: TaskSignature, author: KnownAuthor | undefined, now: Date
): SignerJudgement {
  const why = author === undefined ? undefined : whyOutOfScope(task, author, now)
  const standing =
    author === undefined ? 'unknown' : author.denied === true ? 'denied' : why === undefined ? 'trusted' : 'limited'
  return {
    key: publicKey,
    standing,
    ...(author?.label !== undefined && { label: author.label }),
    ...(label !== undefined && { claimed: label }),
    time,
    ...(standing === 'limited' && { why: why! })
  }
}

function whyOutOfScope (task: Task, author: KnownAuthor, now: Date): string | undefined {
  const { expires, maxHours, maxBytes, maxInput, maxMemory, maxScratch, gpu } = author
  if (expires !== undefined && now >= expires) return `trust expired on ${expires.toISOString()}`
  if (task.needs?.gpu === true && gpu !== true) return 'it uses a GPU, which this trust does not cover'
  if (maxBytes !== undefined && task.length > maxBytes) {
    return `its files may have ${task.length} bytes, more than ${maxBytes}`
  }
  const inputBytes = bytesToFetch(task)
  if (maxInput !== undefined && inputBytes > maxInput) {
    return `its inputs have ${inputBytes} bytes, more than ${maxInput}`
  }
  return (
    whyTooMuch('memory', task.memoryBytes, maxMemory) ??
    whyTooMuch('space in its folder', task.scratchBytes, maxScratch) ??
    (maxHours === undefined ? undefined : whyTooLong(task, maxHours))
  )
}

/** All of them: of a split input, a machine that computes alone needs each slice. */
function bytesToFetch ({ inputs = [] }: Task): number {
  return inputs.reduce((sum, { data, length }) => sum + (data === undefined ? length : 0), 0)
}

/** A task that asks for no amount may get as much as the volunteer's flags allow, which may be too much. */
function whyTooMuch (what: string, asked: number | undefined, most: number | undefined): string | undefined {
  if (most === undefined || (asked !== undefined && asked <= most)) return undefined
  return asked === undefined
    ? `it does not state how much ${what} it needs, and the limit is ${most} bytes`
    : `it asks for ${asked} bytes of ${what}, more than ${most}`
}

function whyTooLong (task: Task, maxHours: number): string | undefined {
  const { timeoutMs, completeTimeoutMs, verifyCommand, verifyTimeoutMs } = task
  const completes = task.completeCommand === undefined ? 0 : task.files.length
  if (timeoutMs === undefined) return `it has no time limit, and yours is ${maxHours} h`
  if (completes > 0 && completeTimeoutMs === undefined) {
    return `its complete command has no time limit, and yours is ${maxHours} h`
  }
  // a piece whose verify command cannot tell is computed as well
  const verifyMs = verifyCommand === undefined ? 0 : verifyTimeoutMs ?? timeoutMs
  const hours = ((timeoutMs + verifyMs) * task.pieceCount + (completeTimeoutMs ?? 0) * completes) / HOUR_MS
  return hours > maxHours ? `it may take ${Number(hours.toFixed(2))} h, more than ${maxHours}` : undefined
}
