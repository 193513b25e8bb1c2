/** `bitworker run`: takes part in a task, from the prompt to the exit code. */
import path from 'node:path'
import { BitWorkerError } from '../../base/errors.ts'
import { readTrustStore } from '../../config/trust-files.ts'
import type { Bind } from '../../executor/binds.ts'
import type { Limits } from '../../executor/limits.ts'
import { explainMissing } from '../../executor/sandbox/missing.ts'
import type { Judgement } from '../../trust/judge.ts'
import type { TrustStore } from '../../trust/list-format.ts'
import type { MachineFlags } from '../flags/machine.ts'
import type { NetworkFlags } from '../flags/network.ts'
import type { Halt, HostPort } from '../flags/values.ts'
import { describeTask, taskFields } from '../output/describe.ts'
import type { DescribeOptions } from '../output/describe.ts'
import { EXIT, advised, report as reportError } from '../output/failure.ts'
import { escapeText } from '../output/format.ts'
import { JsonOutput } from '../output/json-output.ts'
import { LiveScreen, PlainScreen, canShowLive } from '../output/screen.ts'
import type { Screen } from '../output/screen.ts'
import { describeVerdict } from '../output/signers.ts'
import { downloadNote } from '../output/verifying.ts'
import { attach } from '../run/attached.ts'
import { checkBinds } from '../run/binds.ts'
import { confine } from '../run/confinement.ts'
import type { Confinement, ConfinementFlags } from '../run/confinement.ts'
import { report, reportStderr } from '../run/events.ts'
import { failedPieces } from '../run/failed-pieces.ts'
import { FailureReport } from '../run/failures.ts'
import type { Explain } from '../run/failures.ts'
import { refuseForeignFiles } from '../run/foreign-files.ts'
import { halted } from '../run/halt.ts'
import { runHooks, runOnExit } from '../run/hooks.ts'
import type { HookFlags } from '../run/hooks.ts'
import { inputOptions } from '../run/inputs.ts'
import type { InputFlags } from '../run/inputs.ts'
import { aborted, onInterrupt, withDeadline } from '../run/interrupt.ts'
import { JobLog } from '../run/joblog.ts'
import type { LeavingFlags } from '../run/leaving.ts'
import { judge, judgeAll, mustAsk } from '../run/judging.ts'
import { lonelyNote, lookupNote } from '../run/link.ts'
import { obstacleTo, problemOf, unableAfterAll } from '../run/obstacles.ts'
import { openSession, reached } from '../run/open-torrent.ts'
import type { Session } from '../run/open-torrent.ts'
import { outcomeOf } from '../run/outcome.ts'
import type { Page } from '../run/page.ts'
import { leavePartialFiles } from '../run/partial.ts'
import { followWork, watch } from '../run/progress.ts'
import { askConsent, demandTerminal } from '../run/prompt.ts'
import type { Reader } from '../run/reader.ts'
import { Remarks } from '../run/remarks.ts'
import type { SealingFlags } from '../run/sealing.ts'
import { readSource } from '../run/source.ts'
import { Stages } from '../run/stages.ts'
import type { Stage } from '../run/stages.ts'
import { Steering } from '../run/steering.ts'
import { verifyOptions } from '../run/verification.ts'
import type { VerifyingFlags } from '../run/verification.ts'
import { nothingComes } from '../run/waiting.ts'
import { tellWaits } from '../run/waits.ts'
import { warn, warnBinds, warnConverted } from '../run/warnings.ts'

/** The flags as typed. */
export interface RunFlags
  extends NetworkFlags, ConfinementFlags, HookFlags, InputFlags, LeavingFlags, MachineFlags, SealingFlags,
  VerifyingFlags {
  output: string
  /** default: one per core */
  slots?: number
  yes?: boolean
  compute: boolean
  bind: Bind[]
  /** also where the task leaves its complete command to its author */
  complete?: boolean
  force?: boolean
  /** makes partial files if it ends early */
  partial?: boolean
  /** compute only what has failed in earlier runs */
  retryFailed?: boolean
  halt?: Halt
  /** the file for GNU parallel's columns */
  joblog?: string
  /** where the web page is served */
  ui?: HostPort
  legacySwarm?: boolean
  verbose: boolean
  json: boolean
  debug: boolean
}

// Part of the second that Ctrl-C may take.
const CLOSE_MS = 800
/** Kinds of remarks. */
const PROBLEMS = new Set(['failures', 'warnings'])
const NEVER = new Promise<never>(() => {})

/**
 * Runs until the task is done, fails or is interrupted. Resolves with the exit code. Throws errors in the arguments.
 */
export async function run (id: string, typed: RunFlags, reader: Reader | null = null): Promise<number> {
  const confinement = typed.compute ? await confine(typed) : null
  const flags = { ...typed, compute: confinement?.mayCompute === true }
  const source = await readSource(id, flags)
  const trust = await readTrustStore()
  const out = new JsonOutput(flags.json)
  const screen = reader?.screen ?? (canShowLive() ? new LiveScreen() : new PlainScreen())
  const stop = new AbortController()
  const takesTime = flags.partial === true || flags.onExit !== undefined
  const release = onInterrupt(() => { stop.abort() }, { takesTime })
  const attached = await (reader ?? { attach }).attach(source, flags, { out, screen, interrupted: stop.signal })
  if (attached !== null) {
    await runHooks(attached, flags, source.task ?? {}, out, screen)
    return attached
  }
  if (source.task !== null && mustAsk(source.task, flags, judge(source.task, flags, trust))) demandTerminal()
  await checkBinds(flags.bind)
  const joblog = flags.joblog === undefined ? null : new JobLog(flags.joblog)
  if (source.kind === 'remote') {
    screen.note(lookupNote(source.id))
    const lonely = lonelyNote(source.id, flags)
    if (lonely !== null) screen.note(`Warning: ${lonely}`)
    if (lonely !== null) out.emit('warning', { message: lonely })
  }
  const { output, force = false, legacySwarm = false } = flags
  const session = await openSession(source.id, flags, {
    path: output,
    force,
    legacySwarm,
    inputs: inputOptions(flags),
    results: true,
    log: true,
    deselect: reader?.readsPart === true,
    ...await verifyOptions(flags, trust),
    ...(flags.complete !== undefined && { complete: flags.complete })
  }, out)
  joblog?.follow(session.torrent, err => { warn(err as BitWorkerError, out, screen) })
  const exitCode = await takePart(session, flags, { out, screen, trust, interrupted: stop.signal, confinement, reader })
  // they are made in a folder that is no longer open
  await (flags.partial === true ? session.close() : withDeadline(session.close(), CLOSE_MS))
  if (flags.partial === true) await leavePartialFiles(session.torrent, flags, out, screen)
  joblog?.close()
  await runOnExit(exitCode, flags, session.torrent, out, screen)
  out.emit('stopped', { exitCode })
  release()
  return exitCode
}

/** Without a sandbox, a command sees what its user sees, and in a root it sees nothing of this machine. */
function explainsMissing ({ torrent }: Session, { confinement }: Surroundings): boolean {
  return confinement?.fields.tier !== 'none' && torrent.task?.root === undefined
}

interface Surroundings {
  out: JsonOutput
  screen: Screen
  trust: TrustStore
  interrupted: AbortSignal
  /** null with --no-compute */
  confinement: Confinement | null
  reader: Reader | null
}

async function takePart (session: Session, flags: RunFlags, surroundings: Surroundings): Promise<number> {
  const { out, screen, interrupted, reader } = surroundings
  const progress = { started: false, finished: false, ended: false, stop: () => {} }
  const question = new AbortController()
  const remarks = new Remarks((text, kind) => { screen[PROBLEMS.has(kind) ? 'alert' : 'note'](text) }, out)
  const explain: Explain = failure => explainsMissing(session, surroundings) ? explainMissing(failure) : null
  const failures = new FailureReport({
    explain,
    note: text => { screen.alert(text) },
    remark: lines => { remarks.add('failures', lines) },
    emit: (event, fields) => { out.emit(event, fields) }
  })
  const stages = new Stages({ out, screen, remarks, explain })
  const view = followWork(session)
  const steering = new Steering({ session, stages, view, screen, out, flags })
  report(session, failures, out, remarks)
  if (flags.verbose) reportStderr(session, screen)
  const stopTelling = tellWaits(session.torrent, stages, out, screen)
  const outcome = outcomeOf(session.torrent, flags, failures, out, screen, stages, view.wrong)
  outcome.finished.then(() => {
    progress.finished = true
    question.abort()
  }, () => {})
  let page: Page | null = null
  try {
    if (flags.ui !== undefined) {
      const { openPage } = await import('../run/page.ts')
      page = await openPage(flags.ui, { session, stages, steering, trust: surroundings.trust, screen, out, flags })
    }
    return await Promise.race([
      aborted(interrupted).catch(() => EXIT.interrupted),
      session.failed,
      halted(session.torrent, flags.halt, steering.holds, out, screen),
      reader?.read(session.torrent, outcome.exitCode, screen) ?? outcome.exitCode,
      steering.left,
      begin(session, flags, { ...surroundings, stages }, question.signal).then(async () => {
        // The task ended during the prompt: there is nothing left to show.
        if (progress.ended) return NEVER
        if (session.torrent.computing === 'off') await session.torrent.stopComputing()
        progress.started = true
        progress.stop = watch(session, view, stages, screen)
        // what is held was started nevertheless
        steering.apply()
        steering.begin()
        const { torrent } = session
        const obstacle = obstacleTo(torrent, flags, surroundings.confinement) ?? await unableAfterAll(torrent)
        if (flags.exit !== true) return NEVER
        await nothingComes(session.torrent)
        throw new BitWorkerError(obstacle.code, obstacle.blame, `No peer has the missing pieces or computes them. ${advised(obstacle, 'run')}`, {
          cause: obstacle
        })
      })
    ])
  } catch (error) {
    screen.close()
    return reportError(error, { ...flags, started: progress.started, command: 'run' })
  } finally {
    progress.ended = true
    question.abort()
    progress.stop()
    steering.close()
    page?.close()
    stopTelling()
    screen.close()
    failures.tell()
    if ((interrupted.aborted || steering.holds.finishing) && !progress.finished) screen.note('Stopped. Run the same command again to resume.')
  }
}

/** Waits for the task, shows it, asks, and starts computing. */
async function begin (
  { torrent }: Session, flags: RunFlags, surroundings: Surroundings & { stages: Stages }, settled: AbortSignal
): Promise<void> {
  const { out, screen, trust, confinement, stages } = surroundings
  await reached(torrent, 'metadata')
  const { task } = torrent
  if (task === null) {
    await reached(torrent, 'ready')
    if (flags.force !== true) refuseForeignFiles(torrent)
    screen.note(`${escapeText(torrent.name)}: an ordinary torrent. It is downloaded, and no command is run.`)
    out.emit('torrent', { infoHash: torrent.infoHash, name: torrent.name, length: torrent.length })
    return
  }
  const judgement = judge(task, flags, trust)
  // without a sandbox, most limits do not apply
  const limits = confinement === null || confinement.fields.tier === 'none' ? undefined : confinement.options.limits
  const how = { columns: process.stderr.columns, announce: flags.announce, ...(limits !== undefined && { limits }) }
  const description = describeTask(task, { ...how, outDir: flags.output, judgement, binds: flags.bind })
  for (const line of description) screen.note(line)
  out.emit('task', taskFields(task, judgement))
  if (task.convertedFrom !== undefined) warnConverted(out, screen)
  const problem = problemOf(torrent, flags)
  if (problem !== null) warn(problem, out, screen)
  await reached(torrent, 'ready')
  if (problem !== null) return
  if (confinement === null) return screen.note(downloadNote(torrent))
  out.emit('sandbox', confinement.fields)
  screen.note(confinement.banner)
  if (!confinement.mayCompute) return
  if (flags.bind.length > 0) warnBinds(out, screen)
  const needed = [{ torrent, task }, ...await stages.gather(torrent, settled) ?? []]
  const judged = judgeAll(needed.map(each => each.task), flags, trust)
  const [wanted, ...earlier] = needed
    .map((each, i): Judged => Object.assign(each, { judgement: judged[i]! })) as [Judged, ...Judged[]]
  for (const stage of earlier) tellStage(stage, flags, how, out, screen)
  if (flags.yes !== true) for (const line of describeVerdict(judgement, wanted.judgement)) screen.note(line)
  const all = [wanted, ...earlier.filter(each => problemOf(each.torrent, flags) === null)]
  // A finished task needs no answer; without an answer, nothing runs.
  if (all.some(each => mustAsk(each.task, flags, each.judgement))) {
    if (settled.aborted || !await askConsent(settled, { tasks: all.length })) return
  }
  const pieces = flags.retryFailed === true ? failedPieces(flags.output, task) : undefined
  if (pieces?.length === 0) screen.note('No missing piece has failed here: nothing is tried again.')
  for (const each of all) {
    if (each.torrent === torrent) start(each, confinement, flags, { binds: flags.bind, pieces })
    else start(each, confinement, flags, { binds: [], pieces: undefined })
  }
}

interface Judged extends Stage { judgement: Judgement }

/** Shows an earlier task like the task itself. */
function tellStage (
  { torrent, task, judgement }: Judged, flags: RunFlags, how: DescribeOptions, out: JsonOutput, screen: Screen
): void {
  screen.note('Its output is read, so it is computed as well:')
  for (const line of describeTask(task, { ...how, judgement })) screen.note(line)
  out.emit('stage', { what: 'task', ...taskFields(task, judgement), path: torrent.path })
  const problem = problemOf(torrent, flags)
  if (problem !== null) warn(problem, out, screen)
}

function start (
  { torrent, judgement }: Judged, { options }: Confinement, flags: RunFlags,
  { binds, pieces }: { binds: Bind[], pieces: number[] | undefined }
): void {
  torrent.startComputing({
    ...(flags.slots !== undefined && { slots: flags.slots }),
    ...(pieces !== undefined && { pieces }),
    ...options,
    limits: limitsWithin(options.limits, flags.yes === true ? undefined : judgement.fileBytes),
    binds: binds.map(bind => ({ ...bind, path: path.resolve(bind.path) }))
  })
}

/** If the task is trusted without a prompt, the scope of that trust also limits what complete commands write. */
function limitsWithin (limits: Partial<Limits> = {}, fileBytes?: number): Partial<Limits> {
  return fileBytes === undefined ? limits : { ...limits, fileBytes: Math.min(fileBytes, limits.fileBytes ?? Infinity) }
}
