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
  if (infoHash === undefined) return null
  const connect = async (): Promise<ControlClient | null> => connectTo(keptFiles(output, infoHash).control)
  const first = await connect()
  if (first === null) return null
  const exitCode = await follow(first, connect, exit, onlooker)
  onlooker.out.emit('stopped', { exitCode })
  return exitCode
}

async function follow (
  first: ControlClient, connect: () => Promise<ControlClient | null>, exit: boolean,
  { out, screen, interrupted }: Onlooker
): Promise<number> {
  let client = first
  let last: LiveStatus | null = null
  const watching = async (): Promise<number> => {
    for (;;) {
      const status = await client.ask('status')
      if (status === null) {
        // without a last word, it was killed, or made room for others who ask
        const again = client.last === null ? await connect() : null
        if (again === null) return (client.last ?? last)?.done === true ? EXIT.done : EXIT.workFailed
        client = again
        await setTimeout(POLL_MS)
        continue
      }
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
    client.close()
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
