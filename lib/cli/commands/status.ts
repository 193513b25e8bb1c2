/**
 * `bitworker status`, `pause`, `resume` and `finish`: what is in a folder, and the clients that run it. None of them
 * joins a swarm.
 */
import { BitWorkerError } from '../../base/errors.ts'
import { connectTo } from '../../control/ask.ts'
import type { LiveStatus, Request } from '../../control/protocol.ts'
import { folderStatus } from '../../store/folder-status.ts'
import { fit, escapeText, plural } from '../output/format.ts'
import { JsonOutput } from '../output/json-output.ts'
import { describeStatus, doing } from '../output/status.ts'
import { tasksHere } from '../run/tasks-here.ts'
import type { TaskHere } from '../run/tasks-here.ts'

/** The flags as typed. */
export interface StatusFlags {
  /** the folder of the files of a task */
  output: string
  json: boolean
}

/**
 * Shows how far tasks are. Throws BW_ERR_NOT_FOUND, BW_ERR_CONTROL and errors in the arguments.
 * @param target a folder, or a task; default: `output`
 */
export async function status (target: string | undefined, flags: StatusFlags): Promise<void> {
  for (const here of await tasksHere(target, flags.output)) {
    const live = await ask(here, 'status')
    tell(here, live, flags, name => describeStatus(name, folderStatus(here.task, here.folder), live))
  }
}

/**
 * Asks the clients of tasks. Throws BW_ERR_NOT_RUNNING if there are none, and the errors of `status`.
 * @param target as of `status`
 */
export async function steer (
  request: Exclude<Request, 'status'>, target: string | undefined, flags: StatusFlags
): Promise<void> {
  const asked: Array<{ here: TaskHere, live: LiveStatus }> = []
  for (const here of await tasksHere(target, flags.output)) {
    const live = await ask(here, request)
    if (live !== null) asked.push({ here, live })
  }
  if (asked.length === 0) {
    throw new BitWorkerError('BW_ERR_NOT_RUNNING', 'usage',
      `No client runs ${target === undefined ? 'a task in this folder' : escapeText(target)}. Name the folder that bitworker run -o got; bitworker status shows what is there.`)
  }
  for (const { here, live } of asked) {
    const { running } = live.pieces
    const more = running > 0 && live.finishing ? ` (${plural(running, 'piece')})` : ''
    tell(here, live, flags, name => [`${name}: ${escapeText(doing(live))}${more}`])
  }
}

async function ask ({ socket }: TaskHere, request: Request): Promise<LiveStatus | null> {
  const client = await connectTo(socket)
  try {
    return await client?.ask(request) ?? null
  } finally {
    client?.close()
  }
}

function tell (
  { task, folder }: TaskHere, live: LiveStatus | null, { json }: StatusFlags, linesOf: (name: string) => string[]
): void {
  const out = new JsonOutput(json)
  if (json) {
    const { infoHash, name } = task
    return out.emit('status', { infoHash, name, folder, ...folderStatus(task, folder), running: live })
  }
  const lines = linesOf(escapeText(task.name)).flatMap(line => fit(line, process.stdout.columns))
  process.stdout.write(`${lines.join('\n')}\n`)
}
