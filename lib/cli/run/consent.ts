/** Asks before single pieces of a task are computed, like `run`: not for tasks of trusted keys. */
import { readTrustStore } from '../../config/trust-files.ts'
import type { Bind } from '../../executor/binds.ts'
import type { Task } from '../../task/task.ts'
import { judgeTask } from '../../trust/judge.ts'
import { describeTask } from '../output/describe.ts'
import { refuseDenied } from '../output/signers.ts'
import { askConsent, demandTerminal } from './prompt.ts'

/** Throws BW_ERR_DENIED, BW_ERR_CONSENT, BW_ERR_REFUSED, and the signal's reason. */
export async function consentToComputing (
  task: Task, { yes, bind }: { yes: boolean, bind: Bind[] }, signal: AbortSignal
): Promise<void> {
  const judgement = judgeTask(task, await readTrustStore(), new Date())
  refuseDenied(judgement)
  if (yes || judgement.verdict === 'trusted') return
  demandTerminal('Pass --yes to run the command without asking.')
  const lines = describeTask(task, { outDir: '.', columns: process.stderr.columns, judgement, binds: bind })
  process.stderr.write(`${lines.join('\n')}\n`)
  await askConsent(signal, { refused: 'You declined, so nothing was run.' })
  signal.throwIfAborted()
}
