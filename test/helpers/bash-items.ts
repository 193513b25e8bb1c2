/** Work items and executors for tests that run bash. */
import path from 'node:path'
import test from 'tape'
import type { Test } from 'tape'
import type { CommandError } from '../../lib/base/errors.ts'
import { BashExecutor } from '../../lib/executor/bash-executor.ts'
import type { RunningItem, WorkItem } from '../../lib/executor/bash-executor.ts'
import { cleanUp, createFolder, rejection } from './disk.ts'

let count = 0

/** A work item in the folder, with a part file of its own. */
export function work (folder: string, command: string, more: Partial<WorkItem> = {}): WorkItem & { stdout: string } {
  return {
    command,
    env: {},
    cwd: folder,
    stdout: path.join(folder, `out-${count++}`),
    maxOutputBytes: 1000,
    timeoutMs: 0,
    ...more
  } as WorkItem & { stdout: string }
}

/** An executor and an empty folder, both gone when the test ends. */
export function bash (
  t: Test, opts?: ConstructorParameters<typeof BashExecutor>[0]
): { folder: string, executor: BashExecutor } {
  const folder = createFolder(t)
  const executor = new BashExecutor(opts)
  cleanUp(t, () => executor.close())
  return { folder, executor }
}

/** The error of an item that fails. */
export async function failure (item: RunningItem): Promise<CommandError> {
  return rejection<CommandError>(item.done)
}

/** Tests both ways of running an item. `leaders`: processes left in a session after an item, i.e. the warm shell. */
export function both (name: string, run: (t: Test, shells: 'fresh' | 'warm', leaders: 0 | 1) => Promise<void>): void {
  test(name, async t => run(t, 'fresh', 0))
  test(`${name} (warm shells)`, async t => run(t, 'warm', 1))
}
