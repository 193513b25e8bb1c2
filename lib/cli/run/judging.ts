/** Whether tasks may run: what `run` makes of their signatures. */
import { gpuProblem } from '../../store/missing-needs.ts'
import type { Task } from '../../task/task.ts'
import { judgeTasks } from '../../trust/judge.ts'
import type { Judgement } from '../../trust/judge.ts'
import type { TrustStore } from '../../trust/list-format.ts'
import { refuseDenied } from '../output/signers.ts'

/** The flags that matter here. */
export interface JudgingFlags { compute: boolean, yes?: boolean, gpu: boolean }

/** Throws BW_ERR_DENIED if the task would run, and is denied. */
export function judge (task: Task, flags: JudgingFlags, trust: TrustStore): Judgement {
  return judgeAll([task], flags, trust)[0]!
}

/** Judges a task and its earlier tasks together. Throws BW_ERR_DENIED if they would run, and one of them is denied. */
export function judgeAll (tasks: readonly Task[], { compute }: JudgingFlags, trust: TrustStore): Judgement[] {
  const judged = judgeTasks(tasks, trust, new Date())
  if (compute) for (const each of judged) refuseDenied(each)
  return judged
}

/** Whether the user must be asked before the task runs. */
export function mustAsk (task: Task, { compute, yes, gpu }: JudgingFlags, { verdict }: Judgement): boolean {
  if (!compute || yes === true || verdict === 'trusted') return false
  return task.unsupported === undefined && gpuProblem(task, gpu) === null
}
