/** Looks up a link in its swarm without downloading the files. For `info` and `try`. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Torrent } from '../../webtorrent/public-types.ts'
import type { NetworkFlags } from '../flags/network.ts'
import { EXIT, ExitError, explain } from '../output/failure.ts'
import { plural } from '../output/format.ts'
import { JsonOutput } from '../output/json-output.ts'
import { aborted, withDeadline } from './interrupt.ts'
import { lookupNote } from './link.ts'
import { openSession, reached } from './open-torrent.ts'
import type { Source } from './source.ts'

/** Options of the lookup. */
export interface LookupOptions {
  flags: NetworkFlags & { legacySwarm?: boolean }
  /** longest duration */
  seconds: number
  /** aborts the lookup */
  signal: AbortSignal
  /** what the link is to name; default: the task */
  what?: string
}

const CLOSE_MS = 800
const REPORT_MS = 15_000

/**
 * Resolves with the result of `look` for the torrent when its metadata has arrived; the torrent is then removed. Throws
 * BW_ERR_NO_METADATA (exit 1) if no peer provided it in time, BW_ERR_INTERRUPTED (exit 130), and the errors of a
 * session.
 */
export async function lookUp<T> (source: Source, opts: LookupOptions, look: (torrent: Torrent) => T): Promise<T> {
  // It stays empty, but a torrent needs one.
  const folder = await mkdtemp(path.join(tmpdir(), 'bitworker-info-'))
    .catch((error: unknown) => { throw explain(error, `${tmpdir()}, the folder for temporary files (TMPDIR)`) })
  try {
    return await fromSwarm(source, opts, { folder, look })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

interface Aids<T> { folder: string, look: (torrent: Torrent) => T }

async function fromSwarm<T> (
  source: Source, { flags, seconds, signal, what = 'the task' }: LookupOptions, { folder, look }: Aids<T>
): Promise<T> {
  if (source.kind === 'remote') process.stderr.write(`${lookupNote(source.id, what)}\n`)
  const opts = { path: folder, deselect: true, legacySwarm: flags.legacySwarm === true }
  const session = await openSession(source.id, flags, opts, new JsonOutput(false))
  const giveUp = new AbortController()
  const timer = setTimeout(() => {
    giveUp.abort(noMetadata(what, seconds))
  }, seconds * 1000)
  const report = setInterval(() => {
    process.stderr.write(`Still looking, with ${plural(session.torrent.numPeers, 'peer')} connected.\n`)
  }, REPORT_MS)
  const interrupt = (): void => {
    giveUp.abort(new ExitError(EXIT.interrupted, 'BW_ERR_INTERRUPTED', 'Interrupted.'))
  }
  signal.addEventListener('abort', interrupt)
  if (signal.aborted) interrupt()
  try {
    await Promise.race([reached(session.torrent, 'metadata'), session.failed, aborted(giveUp.signal)])
    return look(session.torrent)
  } finally {
    clearTimeout(timer)
    clearInterval(report)
    signal.removeEventListener('abort', interrupt)
    await withDeadline(session.close(), CLOSE_MS)
  }
}

function noMetadata (what: string, seconds: number): ExitError {
  return new ExitError(
    EXIT.workFailed,
    'BW_ERR_NO_METADATA',
    `No peer provided ${what} within ${seconds} s. Perhaps none is online, or none can be reached. Try again later, or name one with --peer, --announce or --dht-bootstrap.`
  )
}
