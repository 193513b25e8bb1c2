/**
 * Runs a task's complete command: once per file, when all its parts are stored. The command finds them in PART_LIST and
 * similar variables, and writes FILE.
 */
import {
  chmodSync, constants, lstatSync, mkdirSync, mkdtempSync, renameSync, symlinkSync, writeFileSync
} from 'node:fs'
import { copyFile, open } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { CommandError } from '../base/errors.ts'
import type { ItemOutcome } from '../executor/bash-executor.ts'
import type { Mount } from '../executor/types.ts'
import type { Result } from '../results/result.ts'
import { LIST, OUTPUT_FOLDER } from '../executor/sandbox/scratch.ts'
import { ioError } from '../system/io-errors.ts'
import { completeMsOf, spaceAsked } from '../task/asks.ts'
import { checkRoom, lstatOrNull, removeTree } from './files/folders.ts'
import { hashFile } from '../system/file-io.ts'
import { partName } from './files/layout.ts'
import { reclaim, share } from './files/root-sharing.ts'
import { makeScratch } from './files/scratch.ts'
import { checkInputs, runItem, show, untilIntact } from './generate.ts'
import type { RunOptions } from './generate.ts'
import type { Given } from './types.ts'
import type { TaskFolder } from './task-folder.ts'

/** A complete file that can be renamed to its final name. */
export interface Draft extends Result { path: string }

/** Its stdout is discarded; more than this is a runaway command. */
const MAX_STDOUT_BYTES = 1024 ** 3
/**
 * Linux accepts no more in one variable (MAX_ARG_STRLEN, 128 KiB including name and NUL); other systems accept more.
 */
const MAX_ENV_BYTES = 100 * 1024
/** The characters at which bash splits, or which it expands, without quotes. */
const UNSAFE = /[\s*?[\]\\]/

/**
 * Sets a list that is longer than the kernel accepts in a variable. echo is a builtin, so nothing is passed to the
 * kernel.
 */
const PART_LIST_PRELUDE = 'PART_LIST=$(echo $(<"$PART_LIST_FILE"))\n'

/**
 * Runs the complete command of a file in the folder `work`. Returns the file that it wrote, synced to disk. Errors: see
 * finishFile.
 */
export async function runCompleteCommand (folder: TaskFolder, file: number, work: string, run: RunOptions,
  signal?: AbortSignal): Promise<Draft> {
  const { task } = folder
  const command = task.completeCommand ?? ''
  checkInputs(run, task)
  const given: Given = await run.inputs?.forFile(signal) ?? { files: [] }
  const alias = UNSAFE.test(work) ? mkdtempSync(path.join(safeTemporary(), 'bitworker-')) : null
  try {
    const seen = alias === null ? work : link(alias, work)
    const scratch = path.join(work, 's')
    makeScratch(scratch, run.binds)
    symlinkSync(folder.layout.parts, path.join(scratch, 'p'))
    const out = path.join('o', `out${extensionOf(task.files[file]!.name)}`)
    mkdirSync(path.join(work, 'o'), { mode: 0o700 })
    const places =
      run.executor?.scratch === undefined ? placesIn(folder, seen, out) : sandboxPlaces(run.executor.scratch, out)
    const { env, prelude } = completeEnv(folder, file, places)
    writeFileSync(path.join(work, 'list'), partNames(folder, file).join('\n') + '\n', { mode: 0o600 })
    if (run.executor?.scratch !== undefined) {
      const names = partNames(folder, file).map(name => path.basename(name))
      share({ parts: folder.layout.parts, names, list: path.join(work, 'list'), out: path.join(work, 'o') })
    }
    const mounts = [...show(run, given, scratch), ...mountsOfComplete(folder, work, places)]
    const item = runItem(run, {
      command: prelude + command,
      env,
      cwd: scratch,
      mounts,
      asks: spaceAsked(task),
      stdout: null,
      maxOutputBytes: MAX_STDOUT_BYTES,
      timeoutMs: completeMsOf(task)
    })
    const outcome = await untilIntact(untilAborted(item, signal), given)
    checkRoom(folder.layout)
    return await takeFile(path.join(work, 'o'), path.basename(out), path.join(work, 'out'), outcome)
  } catch (err) {
    if (err instanceof CommandError && err.code === 'BW_ERR_COMMAND_EXIT') checkRoom(folder.layout, err)
    throw ioError(err, work)
  } finally {
    given.giveBack?.()
    if (alias !== null) await removeTree(alias)
  }
}

/** The paths that a complete command needs. */
interface Places { file: string, list: string, parts: string }

/** @param seen path of the folder `work`, which needs no quotes */
function placesIn ({ layout }: TaskFolder, seen: string, out: string): Places {
  return {
    file: path.join(seen, out),
    list: path.join(seen, 'list'),
    parts: UNSAFE.test(layout.parts) ? path.join(seen, 's', 'p') : layout.parts
  }
}

function sandboxPlaces (scratch: string, out: string): Places {
  return { file: path.posix.join(OUTPUT_FOLDER, path.basename(out)), list: LIST, parts: path.posix.join(scratch, 'p') }
}

/** The folder for its file is the only one of this machine that the command may write to. */
function mountsOfComplete ({ layout }: TaskFolder, work: string, { file, list, parts }: Places): Mount[] {
  return [
    { path: layout.parts, at: parts },
    { path: path.join(work, 'list'), at: list },
    { path: path.join(work, 'o'), at: path.posix.dirname(file), writable: true }
  ]
}

function completeEnv (
  folder: TaskFolder, file: number, places: Places
): { env: Record<string, string>, prelude: string } {
  const { task } = folder
  const list = partNames(folder, file).join(' ')
  const isShort = list.length <= MAX_ENV_BYTES
  const env = {
    FILE: places.file,
    FILE_IDX: String(file),
    PART_COUNT: String(task.files[file]!.parts),
    PART_DIR: places.parts,
    PART_LIST_FILE: places.list,
    ...(isShort && { PART_LIST: list }),
    TASK_NAME: task.name
  }
  return { env, prelude: isShort ? '' : PART_LIST_PRELUDE }
}

/** Relative to the working directory, which keeps the list short. */
function partNames ({ task }: TaskFolder, file: number): string[] {
  const { firstPiece, parts } = task.files[file]!
  return Array.from({ length: parts }, (_, part) => `p/${partName(firstPiece + part)}`)
}

/** Kept because many programs depend on it; contains nothing that needs quotes. */
function extensionOf (name: string): string {
  return /(?:\.[A-Za-z0-9]{1,16}){1,2}$/.exec(name)?.[0] ?? ''
}

/** Makes a path to the folder that a command may use without quotes. */
function link (alias: string, work: string): string {
  const seen = path.join(alias, 'w')
  symlinkSync(work, seen)
  return seen
}

function safeTemporary (): string {
  return UNSAFE.test(os.tmpdir()) ? '/tmp' : os.tmpdir()
}

async function untilAborted (
  item: { done: Promise<ItemOutcome>, kill(): void }, signal: AbortSignal | undefined
): Promise<ItemOutcome> {
  const onAbort = (): void => {
    item.kill()
  }
  signal?.addEventListener('abort', onAbort)
  try {
    return await item.done
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}

/**
 * Takes the file. Everything else that the command wrote is removed with the folder, including other names of the file.
 */
async function takeFile (folder: string, name: string, to: string, { stderr }: ItemOutcome): Promise<Draft> {
  if (lstatOrNull(folder)?.isDirectory() === true) chmodSync(folder, 0o700) // it may lack permissions
  const written = path.join(folder, name)
  if (lstatOrNull(written)?.isFile() !== true) {
    throw new CommandError(
      'BW_ERR_COMPLETE_NO_FILE',
      'The complete command succeeded, but did not write the file $FILE.',
      { exitCode: 0, signal: null, stderr }
    )
  }
  const taken = `${to}.taken`
  renameSync(written, taken)
  await removeTree(folder)
  const { mode, nlink } = lstatSync(taken)
  // a hard link, perhaps to a part: the finished file must be a file of its own
  if (nlink > 1) await copyFile(taken, to, constants.COPYFILE_EXCL)
  else renameSync(taken, to)
  reclaim(to, mode)
  const file = await open(to, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    await file.sync()
  } finally {
    await file.close()
  }
  return { path: to, ...await hashFile(to) }
}
