/**
 * Decides whether a task may start, by what its signatures mean to this user. Pure: the trust list and the time are
 * arguments. Called by the command line and by applications.
 */
import { equalBytes } from '../base/digest.ts'
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
 */
export function judgeTask (task: Task, trust: TrustStore, now: Date): Judgement {
  return judgeTasks([task], trust, now)[0]!
}

/**
 * Judges tasks that are to be computed together because some of them read the output of others. Whoever signed a task
 * vouches for all those that it reads, directly or through others, since he signed their digests; his scope bounds all
 * of them together. Throws like `judgeTask`.
 */
export function judgeTasks (tasks: readonly Task[], { authors }: TrustStore, now: Date): Judgement[] {
  const signed = tasks.map(({ signatures, digest }) => checkSignatures([...signatures], digest))
  const vouching = tasks.map(task => [...needing(task, tasks)].flatMap(index => signed[index]!))
  const coveredBy = (key: string): Task[] => tasks.filter((_, i) => vouching[i]!.some(each => each.publicKey === key))
  return tasks.map((task, i) => {
    const all = vouching[i]!
    const signers = all
      .filter(({ publicKey }, at) => all.findIndex(each => each.publicKey === publicKey) === at)
      .map(signature => {
        const author = authors.find(({ key }) => key === signature.publicKey)
        return judgeSigner({ task, covered: coveredBy(signature.publicKey), now }, signature, author)
      })
    const has = (standing: SignerJudgement['standing']): boolean => signers.some(signer => signer.standing === standing)
    const trusted = signers.filter(({ standing }) => standing === 'trusted')
    const fileBytes = task.completeCommand === undefined || trusted.length === 0
      ? Infinity
      : Math.max(...trusted.map(({ key }) => fileBytesOf(coveredBy(key), authors.find(each => each.key === key)!)))
    return {
      verdict: has('denied') ? 'denied' : has('trusted') ? 'trusted' : 'ask',
      signers,
      ...(fileBytes < Infinity && { fileBytes })
    }
  })
}

/** The positions of a task and of those that read its output, directly or through others. */
function needing (task: Task, tasks: readonly Task[]): Set<number> {
  const found = new Set([tasks.indexOf(task)])
  // those that are found are looked at as well
  for (const at of found) {
    for (const [i, { inputs = [] }] of tasks.entries()) {
      const { digest } = tasks[at]!
      if (inputs.some(input => input.task !== undefined && equalBytes(input.task.digest, digest))) found.add(i)
    }
  }
  return found
}

/** No task says how much a complete command writes. The scope limits it, for the files of all tasks together. */
function fileBytesOf (covered: readonly Task[], { maxBytes = Infinity }: KnownAuthor): number {
  const files = covered.reduce((sum, task) => sum + (task.completeCommand === undefined ? 0 : task.files.length), 0)
  return Math.max(1, Math.floor(maxBytes / files))
}

/** `covered`: all tasks for which the same signer vouches. */
interface Judged { task: Task, covered: readonly Task[], now: Date }

function judgeSigner (
  judged: Judged, { publicKey, label, time }: TaskSignature, author: KnownAuthor | undefined
): SignerJudgement {
  const why = author === undefined ? undefined : whyOutOfScope(judged, author)
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

function whyOutOfScope ({ task, covered, now }: Judged, author: KnownAuthor): string | undefined {
  const { expires, maxHours, maxBytes, maxInput, maxMemory, maxScratch, gpu } = author
  if (expires !== undefined && now >= expires) return `trust expired on ${expires.toISOString()}`
  if (task.needs?.gpu === true && gpu !== true) return 'it uses a GPU, which this trust does not cover'
  const of = (what: string): string =>
    covered.length === 1 ? `its ${what}` : `the ${what} of the ${covered.length} tasks that the signature covers`
  const bytes = covered.reduce((sum, { length }) => sum + length, 0)
  if (maxBytes !== undefined && bytes > maxBytes) return `${of('files')} may have ${bytes} bytes, more than ${maxBytes}`
  const inputBytes = bytesToFetch(covered)
  if (maxInput !== undefined && inputBytes > maxInput) {
    return `${of('inputs')} have ${inputBytes} bytes, more than ${maxInput}`
  }
  return (
    whyTooMuch('memory', task.memoryBytes, maxMemory) ??
    whyTooMuch('space in its folder', task.scratchBytes, maxScratch) ??
    (maxHours === undefined ? undefined : whyTooLong(covered, maxHours))
  )
}

/** Of a split input, a machine that computes alone needs each slice. What several tasks read counts once. */
function bytesToFetch (tasks: readonly Task[]): number {
  const lengths = new Map<string, number>()
  for (const { data, infoHash, task, length } of tasks.flatMap(({ inputs = [] }) => inputs)) {
    if (data === undefined) lengths.set(`${infoHash ?? `task ${task?.infoHash}`} ${length}`, length)
  }
  return [...lengths.values()].reduce((sum, length) => sum + length, 0)
}

/** A task that asks for no amount may get as much as the volunteer's flags allow, which may be too much. */
function whyTooMuch (what: string, asked: number | undefined, most: number | undefined): string | undefined {
  if (most === undefined || (asked !== undefined && asked <= most)) return undefined
  return asked === undefined
    ? `it does not state how much ${what} it needs, and the limit is ${most} bytes`
    : `it asks for ${asked} bytes of ${what}, more than ${most}`
}

function whyTooLong (covered: readonly Task[], maxHours: number): string | undefined {
  const isOne = covered.length === 1
  let ms = 0
  for (const { timeoutMs, completeTimeoutMs, verifyCommand, verifyTimeoutMs, pieceCount, ...task } of covered) {
    const completes = task.completeCommand === undefined ? 0 : task.files.length
    if (timeoutMs === undefined || (completes > 0 && completeTimeoutMs === undefined)) {
      const one = timeoutMs === undefined ? 'it' : 'its complete command'
      return `${isOne ? one : 'a task that the signature covers'} has no time limit, and yours is ${maxHours} h`
    }
    // a piece whose verify command cannot tell is computed as well
    const verifyMs = verifyCommand === undefined ? 0 : verifyTimeoutMs ?? timeoutMs
    ms += (timeoutMs + verifyMs) * pieceCount + (completeTimeoutMs ?? 0) * completes
  }
  const hours = ms / HOUR_MS
  const what = isOne ? 'it' : `the ${covered.length} tasks that the signature covers`
  return hours > maxHours ? `${what} may take ${Number(hours.toFixed(2))} h, more than ${maxHours}` : undefined
}
