/** `bitworker info`: shows what a task is and what it would run, without running it. */
import { readTrustStore } from '../../config/trust-files.ts'
import { detectSandbox } from '../../executor/sandbox/detect.ts'
import type { Task } from '../../task/task.ts'
import { judgeTask } from '../../trust/judge.ts'
import type { TrustStore } from '../../trust/list-format.ts'
import type { Torrent } from '../../webtorrent/public-types.ts'
import type { NetworkFlags } from '../flags/network.ts'
import { describeTask, taskFields } from '../output/describe.ts'
import { escapeText, formatBytes, plural } from '../output/format.ts'
import { embeddedLines } from '../output/inputs.ts'
import { JsonOutput } from '../output/json-output.ts'
import { onInterrupt } from '../run/interrupt.ts'
import { lookUp } from '../run/lookup.ts'
import { readSource } from '../run/source.ts'
import type { Source } from '../run/source.ts'

/** The flags as typed. */
export interface InfoFlags extends NetworkFlags {
  /** seconds */
  timeout: number
  legacySwarm?: boolean
  /** shown instead of everything else */
  showInput?: string
  json: boolean
}

/** The description of a task or an ordinary torrent. */
interface Description { event: 'task' | 'torrent', fields: object, lines: string[] }

/** Options of the description. */
interface Look { trust: TrustStore, showInput: string | undefined }

/** Describes TASK. Throws BW_ERR_NO_METADATA (exit 1) if no peer provided it in time, BW_ERR_INTERRUPTED (exit 130). */
export async function info (id: string, flags: InfoFlags): Promise<void> {
  const source = await readSource(id, flags)
  const trust = await readTrustStore()
  const out = new JsonOutput(flags.json)
  const look: Look = { trust, showInput: flags.showInput }
  const description = source.task === null ? await fromSwarm(source, flags, look) : describeJudged(source.task, look)
  if (description.event === 'task' && flags.showInput === undefined) await addSandbox(description)
  out.emit(description.event, description.fields)
  if (!flags.json) process.stdout.write(`${description.lines.join('\n')}\n`)
}

async function fromSwarm (source: Source, flags: InfoFlags, look: Look): Promise<Description> {
  const stop = new AbortController()
  const release = onInterrupt(() => { stop.abort() })
  try {
    return await lookUp(source, { flags, seconds: flags.timeout, signal: stop.signal }, torrent =>
      describe(torrent, look)
    )
  } finally {
    release()
  }
}

function describeJudged (task: Task, { trust, showInput }: Look): Description {
  const judgement = judgeTask(task, trust, new Date())
  return {
    event: 'task',
    fields: taskFields(task, judgement),
    lines:
      showInput === undefined
        ? describeTask(task, { columns: process.stdout.columns, judgement })
        : embeddedLines(task, showInput)
  }
}

async function addSandbox (description: Description): Promise<void> {
  const { tier, problems } = await detectSandbox()
  description.fields = { ...description.fields, sandbox: { tier, problems } }
  description.lines.push(
    `  sandbox     ${tier === 'none' ? 'none works here, so nothing would be computed; see bitworker doctor' : tier}`
  )
}

function describe (torrent: Torrent, look: Look): Description {
  if (torrent.task !== null) return describeJudged(torrent.task, look)
  const { infoHash, name, length } = torrent
  const files = torrent.files.map(file => ({ path: file.path, length: file.length }))
  return {
    event: 'torrent',
    fields: { infoHash, name, length, files },
    lines: [
      `${escapeText(name)}: an ordinary torrent with ${plural(files.length, 'file')}, ${formatBytes(length)}; it has no command`,
      `  info-hash  ${infoHash}`
    ]
  }
}
