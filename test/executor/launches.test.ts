// What is taken for a launch is given back, whatever goes wrong.
import { readdirSync, readlinkSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import test from 'tape'
import { BashExecutor } from '../../lib/executor/bash-executor.ts'
import { PlainLauncher } from '../../lib/executor/launch.ts'
import type { Launch, Launcher } from '../../lib/executor/launch.ts'
import { openAll } from '../../lib/executor/process/open-all.ts'
import { launchIn } from '../../lib/executor/sandbox/join.ts'
import { DEFAULT_LIMITS } from '../../lib/executor/limits.ts'
import { Groups } from '../../lib/executor/cgroup/groups.ts'
import type { WorkItem } from '../../lib/executor/types.ts'
import { cleanUp, rejection, tempFolder } from '../helpers/disk.ts'

const itemIn = (folder: string): WorkItem => ({
  command: 'echo x', env: {}, cwd: folder, stdout: path.join(folder, 'out'), maxOutputBytes: 100, timeoutMs: 0
})

/** Launches without a sandbox, changed; counts how many were given back. */
function launcherOf (change: Partial<Launch>): { launcher: Launcher, settled: () => number } {
  let settled = 0
  const plain = new PlainLauncher('/bin/bash', process.env)
  const launch = (item: WorkItem): Launch => ({ ...plain.launch(item), settled: async () => { settled++ }, ...change })
  return { launcher: { launch, close () {} }, settled: () => settled }
}

for (const [name, change] of [
  ['is over', {}],
  ['cannot be started', { file: '/no/such/program' }],
  ['has an end that cannot be read', { ended: () => { throw new Error('EIO: i/o error, read') } }],
  ['fails once it runs', { started: () => { throw new Error('EMFILE: too many open files') } }]
] as Array<[string, Partial<Launch>]>) {
  test(`what was taken for a launch that ${name} is given back once`, async t => {
    const folder = tempFolder(t)
    const { launcher, settled } = launcherOf(change)
    const executor = new BashExecutor({ sandbox: { tier: 'bwrap', createLauncher: () => launcher }, groups: false })
    cleanUp(t, () => executor.close())
    const item = executor.run(itemIn(folder))
    if (name === 'is over') await item.done
    else t.ok((await rejection(item.done)).message, 'it fails')
    await executor.close()
    t.equal(settled(), 1)
  })
}

test('a launch that cannot be made gives its group back', t => {
  const base = tempFolder(t)
  const open = (): string[] =>
    readdirSync('/proc/self/fd')
      .map(fd => linkOrEmpty(`/proc/self/fd/${fd}`))
      .filter(at => at.startsWith(base))
  const groups = new Groups({ version: 1, folders: { memory: base } })
  const host = { guard: { watch () {}, forget () {} }, groups }
  const taken = new Set<unknown>()
  for (let i = 0; i < 3; i++) {
    t.throws(
      () =>
        launchIn(host, { item: itemIn(base), limits: DEFAULT_LIMITS, isFolderInMemory: false }, ({ group, fds }) => {
          taken.add(group)
          t.deepEqual([fds.length, open().length], [1, 1])
          throw new Error('EMFILE')
        }),
      /EMFILE/
    )
    t.deepEqual(open(), [], 'its files are closed')
  }
  t.equal(taken.size, 1, 'and it serves the next one')
  t.throws(() => openAll([() => { throw new Error('EMFILE') }]), /EMFILE/)
  t.end()
})

function linkOrEmpty (at: string): string {
  try {
    return readlinkSync(at)
  } catch {
    return ''
  }
}
