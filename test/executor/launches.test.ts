// What is taken for a launch is given back, whatever goes wrong.
import { readdirSync, readlinkSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import test from 'tape'
import { BashExecutor } from '../../lib/executor/bash-executor.ts'
import { PlainLauncher } from '../../lib/executor/launch.ts'
import type { Launch, Launcher } from '../../lib/executor/launch.ts'
import { openAll } from '../../lib/executor/process/open-all.ts'
import { Nest } from '../../lib/executor/nest/nest.ts'
import { Fifos } from '../../lib/executor/process/fifos.ts'
import { BwrapLauncher } from '../../lib/executor/sandbox/bwrap.ts'
import { detectSandbox } from '../../lib/executor/sandbox/detect.ts'
import { FilterFile } from '../../lib/executor/sandbox/filter-file.ts'
import { archOf } from '../../lib/executor/sandbox/host.ts'
import { LandlockLauncher } from '../../lib/executor/sandbox/landlock.ts'
import { launchWith } from '../../lib/executor/sandbox/taken.ts'
import { DEFAULT_LIMITS } from '../../lib/executor/limits.ts'
import { Groups } from '../../lib/executor/cgroup/groups.ts'
import type { WorkItem } from '../../lib/executor/types.ts'
import { cleanUp, createFolder, livingIn, rejection, until } from '../helpers/disk.ts'

const itemIn = (folder: string): WorkItem => ({
  command: 'echo x', env: {}, cwd: folder, stdout: path.join(folder, 'out'), maxOutputBytes: 100, timeoutMs: 0
})

interface Spy { launcher: Launcher, settled: () => number, whoLived: () => number[] }

/** Launches without a sandbox, changed; counts how many were given back, and what of them lived still. */
function launcherOf (change: Partial<Launch>): Spy {
  let settled = 0
  const lived: number[] = []
  const plain = new PlainLauncher('/bin/bash', process.env)
  const launch = (item: WorkItem): Launch => {
    let pid: number | undefined
    const made = { ...plain.launch(item), ...change }
    return {
      ...made,
      started: child => {
        pid = child.pid
        made.started?.(child)
      },
      settled: async () => {
        settled++
        if (pid !== undefined) lived.push(...livingIn(pid))
      }
    }
  }
  return { launcher: { launch, close () {} }, settled: () => settled, whoLived: () => lived }
}

const WAYS: Array<[string, Partial<Launch>]> = [
  ['is over', {}],
  ['cannot be started', { file: '/no/such/program' }],
  ['cannot even be tried', { args: ['\0'] }],
  ['has an end that cannot be read', { ended: () => { throw new Error('EIO: i/o error, read') } }],
  ['fails once it runs', { started: () => { throw new Error('EMFILE: too many open files') } }]
]

for (const [name, change] of WAYS) {
  test(`the resources of a launch that ${name} are released once, after its process has ended`, async t => {
    const folder = createFolder(t)
    const { launcher, settled, whoLived } = launcherOf(change)
    const executor = new BashExecutor({ sandbox: { tier: 'bwrap', createLauncher: () => launcher }, groups: false })
    cleanUp(t, () => executor.close())
    const item = executor.run(itemIn(folder))
    if (name === 'is over') await item.done
    else t.ok((await rejection(item.done)).message, 'it fails')
    t.equal(settled(), 1, 'when it is over')
    await executor.close()
    t.deepEqual([settled(), whoLived()], [1, []])
  })
}

for (const [name, change] of WAYS.filter(([, { ended }]) => ended === undefined)) {
  test(`the resources of a nest that ${name} are released once, after its process has ended`, async t => {
    const folder = createFolder(t)
    const { launcher, settled, whoLived } = launcherOf(change)
    const fifos = new Fifos()
    let gone = 0
    const before = openFiles().length
    const nest = new Nest({
      takeFifo: () => fifos.take(folder),
      launch: parts => ({ ...launcher.launch(itemIn(folder), DEFAULT_LIMITS), fds: parts }),
      onStart () {},
      onGone: () => { gone++ }
    })
    await nest.close()
    fifos.close()
    t.deepEqual([settled(), gone, nest.isGone, whoLived()], [1, 1, true, []])
    if (name !== 'is over') t.ok(nest.hasFailed, 'it is told that it was of no use')
    await until('all of its pipes are closed', () => openFiles().length <= before)
  })
}

test('an item without a place for its output reports that, also from a nest', async t => {
  const folder = createFolder(t)
  const { sandbox } = await detectSandbox('bwrap')
  const executor = new BashExecutor({ sandbox: sandbox!, shells: 'warm' })
  cleanUp(t, () => executor.close())
  for (let i = 0; i < 20; i++) {
    await executor.run({ ...itemIn(folder), stdout: path.join(folder, `out${i}`) }).done
    const err = await rejection(executor.run({ ...itemIn(folder), stdout: '/no/such/folder/out' }).done)
    if (err.code !== 'BW_ERR_OUTPUT_FOLDER') t.fail(String(err.stack))
  }
  t.pass('always the same')
})

const ARCH = archOf()!
for (const [name, create] of [
  ['bwrap', () => new BwrapLauncher({ bwrap: '/usr/bin/bwrap', arch: ARCH, proc: true, stage: true })],
  ['landlock', () => new LandlockLauncher({ perl: '/usr/bin/perl', arch: ARCH })]
] as Array<[string, () => Launcher]>) {
  test(`a launch in ${name} that cannot be made leaves no file open`, t => {
    const launcher = create()
    cleanUp(t, () => { launcher.close() })
    const before = openFiles()
    const fails = { get (): never { throw new Error('EMFILE') } }
    const noCommand = Object.defineProperty(itemIn('/'), 'command', fails)
    const noMount = { ...itemIn('/'), mounts: [Object.defineProperty({ path: '', at: '/scratch/x' }, 'path', fails)] }
    for (const item of [noCommand, noMount]) {
      t.throws(() => launcher.launch(item, DEFAULT_LIMITS), /EMFILE/)
      t.deepEqual(openFiles(), before)
    }
    t.end()
  })
}

test('a launch that cannot be made gives its group back', async t => {
  const base = createFolder(t)
  const open = (): string[] => openFiles().filter(at => at.startsWith(base))
  const groups = new Groups({ version: 1, folders: { memory: base } })
  const host = { watchdog: { watch () {}, forget () {} }, groups }
  const file = new FilterFile('x')
  cleanUp(t, () => { file.close() })
  const toTake = { item: itemIn(base), limits: DEFAULT_LIMITS, isFolderInMemory: false, files: [file] }
  const taken = new Set<unknown>()
  const before = openFiles().length
  for (let i = 0; i < 3; i++) {
    t.throws(
      () =>
        launchWith(host, toTake, ({ files, groupFds }) => {
          t.deepEqual([files.length, groupFds.length, open().length], [1, 1, 1])
          taken.add(open()[0])
          throw new Error('EMFILE')
        }),
      /EMFILE/
    )
    t.equal(openFiles().length, before, 'its files are closed')
  }
  t.equal(taken.size, 1, 'and it serves the next one')
  t.throws(() => openAll([() => { throw new Error('EMFILE') }]), /EMFILE/)
})

/** What this process has open. */
function openFiles (): string[] {
  return readdirSync('/proc/self/fd').map(fd => linkOrEmpty(`/proc/self/fd/${fd}`)).filter(at => at !== '').sort()
}

function linkOrEmpty (at: string): string {
  try {
    return readlinkSync(at)
  } catch {
    return ''
  }
}
