// Files whose complete command cannot run for now: they wait, and end nothing.
import test from 'tape'
import { BitWorkerError } from '../../lib/base/errors.ts'
import type { FinishedFile } from '../../lib/store/types.ts'
import { Finisher } from '../../lib/session/finisher.ts'
import type { Progress } from '../../lib/session/progress.ts'
import type { SessionHost } from '../../lib/session/session-host.ts'
import { createTask } from '../../lib/task/task.ts'

const TASK = createTask({ name: 'out', command: 'true', completeCommand: 'true', parts: 1 })
const FINISHED: FinishedFile = { name: 'out', path: '/out', length: 1, file: 0 } as unknown as FinishedFile

interface Run { finisher: Finisher, events: string[], next: () => Promise<void> }

/**
 * @param answers what the store says to each run: null, as if no command may run
 * @param meanwhile called in each run
 */
function start (answers: Array<Error | FinishedFile | null>, meanwhile = (): void => {}): Run {
  const events: string[] = []
  let wake: (() => void) | undefined
  const note = (event: string): void => {
    events.push(event)
    wake?.()
  }
  const host = {
    report: (event: string) => { note(event) },
    fileFinished: (_: number, finished: FinishedFile | null) => { note(finished === null ? 'unmerged' : 'finished') },
    done: () => { note('done') },
    broken: () => { note('broken') }
  } as unknown as SessionHost
  const store = {
    finishFile: async (): Promise<FinishedFile | null> => {
      const answer = answers.shift()!
      meanwhile()
      if (answer instanceof Error) throw answer
      return answer
    }
  }
  const finisher = new Finisher(TASK, { store }, { fraction: () => 1 } as unknown as Progress, host)
  return { finisher, events, next: async () => new Promise(resolve => { wake = resolve }) }
}

const gone = new BitWorkerError('BW_ERR_INPUT', 'system', 'gone')

test('what a complete command reads is not here any more: it runs again, and the task goes on', async t => {
  const { finisher, events, next } = start([gone, gone, FINISHED])
  finisher.allowCommands()
  while (!events.includes('done')) await next()
  t.deepEqual(events, ['completing', 'completing', 'completing', 'finished', 'done'])
})

test('commands are forbidden while one waits: it is due when they are allowed again', async t => {
  const { finisher, events, next } = start([gone, FINISHED])
  finisher.allowCommands()
  finisher.forbidCommands()
  while (!events.includes('done')) await next()
  t.deepEqual(events, ['done'])
  t.ok(finisher.hasUnmerged)
  finisher.allowCommands()
  while (!events.includes('finished')) await next()
  t.notOk(finisher.hasUnmerged)
})

test('a part is replaced while the file is made: what was made of the old one is nobody\'s failure', async t => {
  const changed = new BitWorkerError('BW_ERR_PART_MISSING', 'usage', 'one of its parts was lost')
  for (const first of [changed, FINISHED]) {
    const { finisher, events, next } = start([first, FINISHED], () => {
      if (events.length > 1) return
      finisher.reopen(0)
      finisher.check(0)
    })
    finisher.allowCommands()
    while (!events.includes('done')) await next()
    t.deepEqual(events, ['completing', 'completing', 'finished', 'done'])
  }
})
