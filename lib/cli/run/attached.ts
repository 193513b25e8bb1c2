/** A second run of a task in the same folder: it shows how the first one is getting on, by its socket. */
import { setTimeout } from 'node:timers/promises'
import { connectTo } from '../../control/ask.ts'
import type { ControlClient } from '../../control/ask.ts'
import type { LiveStatus } from '../../control/protocol.ts'
import { keptFiles } from '../../store/finished-files.ts'
import { EXIT } from '../output/failure.ts'
import { escapeText } from '../output/format.ts'
import type { JsonOutput } from '../output/json-output.ts'
import type { Screen, Snapshot } from '../output/screen.ts'
import { aborted } from './interrupt.ts'
import { infoHashOf } from './link.ts'
import type { Source } from './source.ts'

const POLL_MS = 500

/** Where the progress goes, and until when. */
interface Onlooker { out: JsonOutput, screen: Screen, interrupted: AbortSignal }

/**
 * If a run has the task in this folder, shows its progress until it ends, or with `exit` until it is done. Resolves
 * with the exit code; null if there is no such run. Throws BW_ERR_CONTROL.
 */
export async function attach (
  { task, kind, id }: Source, { output, exit = false }: { output: string, exit?: boolean }, onlooker: Onlooker
): Promise<number | null> {
  const infoHash = task?.infoHash ?? (kind === 'remote' ? infoHashOf(id as string) : undefined)
  const first = infoHash === undefined ? null : await connectTo(keptFiles(output, infoHash).control)
  if (first === null) return null
  const exitCode = await follow(first, exit, onlooker)
  onlooker.out.emit('stopped', { exitCode })
  return exitCode
}

async function follow (first: ControlClient, exit: boolean, { out, screen, interrupted }: Onlooker): Promise<number> {
  let last: LiveStatus | null = null
  const watching = async (): Promise<number> => {
    for (;;) {
      const status = await first.ask('status')
      if (status === null) return last?.done === true ? EXIT.done : EXIT.workFailed
      if (last === null) {
        out.emit('attached', { pid: status.pid })
        screen.note(`Another bitworker (pid ${status.pid}) runs this task in this folder, with its own flags. Its progress follows; Ctrl-C ends only this view, bitworker finish or pause the run itself.`)
      }
      last = status
      out.emit('status', status)
      screen.show(snapshotOf(status))
      if (exit && status.done) return EXIT.done
      await setTimeout(POLL_MS)
    }
  }
  try {
    const exitCode = await Promise.race([watching(), aborted(interrupted).catch(() => EXIT.interrupted)])
    screen.close()
    if (exitCode === EXIT.workFailed) screen.note('The other bitworker has ended before the task is done. Run the same command again to resume.')
    return exitCode
  } finally {
    first.close()
    screen.close()
  }
}

function snapshotOf (status: LiveStatus): Snapshot {
  const { pieces, peers, downloadSpeed, uploadSpeed, timeLeftMs, state, remark, done } = status
  return {
    fraction: pieces.pieces === 0 ? 0 : pieces.stored / pieces.pieces,
    pieces,
    peers,
    downloadSpeed,
    uploadSpeed,
    timeLeftMs,
    state: state === null ? null : escapeText(state),
    remark: remark === null ? null : escapeText(remark),
    done
  }
}
