/** `bitworker info`: what a task is and what it would run, without running it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { detectSandbox } from '../executor/sandbox/detect.ts'
import type { Task } from '../task.ts'
import type { Torrent } from '../webtorrent/public-types.ts'
import { readTrustStore } from '../trust/files.ts'
import { judgeTask } from '../trust/judge.ts'
import type { TrustStore } from '../trust/store-format.ts'
import { describeTask, taskFields } from './describe.ts'
import { EXIT, ExitError, explain } from './failure.ts'
import { escapeText, formatBytes, plural } from './format.ts'
import { aborted, onInterrupt, withDeadline } from './interrupt.ts'
import { JsonOutput } from './json-output.ts'
import { lookupNote } from './run/link.ts'
import type { NetworkFlags } from './network.ts'
import { openSession, reached } from './session.ts'
import { readSource } from './source.ts'
import type { Source } from './source.ts'

/** The flags as typed. */
export interface InfoFlags extends NetworkFlags {
  /** seconds */
  timeout: number
  legacySwarm?: boolean
  json: boolean
}

/** What is said of a task or an ordinary torrent. */
interface Description { event: 'task' | 'torrent', fields: object, lines: string[] }

const CLOSE_MS = 800

/** Says what TASK is. Throws BW_ERR_NO_METADATA (exit 1) when no peer had it in time, BW_ERR_INTERRUPTED (exit 130). */
export async function info (id: string, flags: InfoFlags): Promise<void> {
  const source = await readSource(id, flags)
  const trust = await readTrustStore()
  const out = new JsonOutput(flags.json)
  const description = source.task === null ? await lookUp(source, flags, trust) : describeJudged(source.task, trust)
  if (description.event === 'task') await addSandbox(description)
  out.emit(description.event, description.fields)
  if (!flags.json) process.stdout.write(`${description.lines.join('\n')}\n`)
}

function describeJudged (task: Task, trust: TrustStore): Description {
  const judgement = judgeTask(task, trust, new Date())
  return { event: 'task', fields: taskFields(task, judgement), lines: describeTask(task, { columns: process.stdout.columns, judgement }) }
}

async function addSandbox (description: Description): Promise<void> {
  const { tier, problems } = await detectSandbox()
  description.fields = { ...description.fields, sandbox: { tier, problems } }
  description.lines.push(`  sandbox     ${tier === 'none' ? 'none here: nothing would be computed; see bitworker doctor' : tier}`)
}

// The folder stays empty: nothing is downloaded, but a torrent wants one.
async function lookUp (source: Source, flags: InfoFlags, trust: TrustStore): Promise<Description> {
  const folder = await mkdtemp(path.join(tmpdir(), 'bitworker-info-'))
    .catch((error: unknown) => { throw explain(error, `${tmpdir()}, the folder for temporary files (TMPDIR)`) })
  try {
    return await describeFromSwarm(source, flags, { folder, trust })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

interface Aids { folder: string, trust: TrustStore }

async function describeFromSwarm (source: Source, flags: InfoFlags, { folder, trust }: Aids): Promise<Description> {
  if (source.kind === 'remote') process.stderr.write(`${lookupNote(source.id)}\n`)
  const opts = { path: folder, deselect: true, legacySwarm: flags.legacySwarm === true }
  const session = await openSession(source.id, flags, opts, new JsonOutput(false))
  const giveUp = new AbortController()
  const timer = setTimeout(() => { giveUp.abort(noMetadata(flags.timeout)) }, flags.timeout * 1000)
  const release = onInterrupt(() => { giveUp.abort(new ExitError(EXIT.interrupted, 'BW_ERR_INTERRUPTED', 'interrupted')) })
  try {
    await Promise.race([reached(session.torrent, 'metadata'), session.failed, aborted(giveUp.signal)])
    return describe(session.torrent, trust)
  } finally {
    clearTimeout(timer)
    await withDeadline(session.close(), CLOSE_MS)
    release()
  }
}

function noMetadata (seconds: number): ExitError {
  return new ExitError(EXIT.workFailed, 'BW_ERR_NO_METADATA',
    `no peer gave the task within ${seconds} s: perhaps nobody is there, or not reachable; try again later, or name one with --peer, --announce or --dht-bootstrap`)
}

function describe (torrent: Torrent, trust: TrustStore): Description {
  if (torrent.task !== null) return describeJudged(torrent.task, trust)
  const { infoHash, name, length } = torrent
  const files = torrent.files.map(file => ({ path: file.path, length: file.length }))
  return {
    event: 'torrent',
    fields: { infoHash, name, length, files },
    lines: [
      `${escapeText(name)}: an ordinary torrent of ${plural(files.length, 'file')}, ${formatBytes(length)}; it runs nothing`,
      `  info-hash  ${infoHash}`
    ]
  }
}
