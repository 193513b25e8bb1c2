// What a command uses together: memory of every kind, by control groups where there are some, else by looking; its
// processes' priority and limits; and what is left of it.
import { mkdirSync, readFileSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import test from 'tape'
import { UnifiedGroup } from '../../lib/executor/cgroup/group.ts'
import { Groups, findGroups, groupLimitsOf, join, tryGroups } from '../../lib/executor/cgroup/groups.ts'
import { hierarchiesOf } from '../../lib/executor/cgroup/hierarchy.ts'
import { DEFAULT_LIMITS } from '../../lib/executor/limits.ts'
import { membersOf } from '../../lib/executor/process/sessions.ts'
import { USERS, startConfined } from '../helpers/confined.ts'
import type { Confined } from '../helpers/confined.ts'
import { createFolder, until } from '../helpers/disk.ts'

const MIB = 1024 ** 2

test('the place of a process in the hierarchies', t => {
  const hybrid = [
    '30 23 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw',
    '31 30 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory',
    '32 30 0:28 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids',
    '33 30 0:29 / /sys/fs/cgroup/unified rw shared:3 - cgroup2 cgroup2 rw'
  ].join('\n')
  t.deepEqual(
    hierarchiesOf('8:pids:/\n4:memory:/jobs/a b\n0::/\n', hybrid),
    {
      unified: ['/sys/fs/cgroup/unified/'],
      legacy: { memory: '/sys/fs/cgroup/memory/jobs/a b', pids: '/sys/fs/cgroup/pids/' }
    },
    'both versions'
  )
  const only2 = '30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate'
  t.deepEqual(hierarchiesOf('0::/user.slice/a.scope', only2), {
    unified: ['/sys/fs/cgroup/user.slice/a.scope', '/sys/fs/cgroup/user.slice'], legacy: {}
  }, 'where it is, and above')
  const container = String.raw`30 23 0:26 /docker/abc /sys/fs/cgroup\040x rw - cgroup2 cgroup2 rw`
  t.deepEqual(
    hierarchiesOf('0::/docker/abc', container), { unified: ['/sys/fs/cgroup x'], legacy: {} }, 'a part of it is shown'
  )
  t.deepEqual(hierarchiesOf('0::/elsewhere', container), { unified: [], legacy: {} }, 'it is in another part')
  t.deepEqual(hierarchiesOf('', ''), { unified: [], legacy: {} }, 'there is nothing')
  t.end()
})

test('groups of version 2', t => {
  const base = createFolder(t)
  const none = tryGroups({ unified: [base], legacy: {} }, () => true)
  t.equal(none.place, null, 'a folder that is no group')
  t.match(none.message, /^No cgroups can be created here/, 'what people are told')
  writeFileSync(path.join(base, 'cgroup.controllers'), 'cpu memory pids\n')
  t.equal(tryGroups({ unified: [base], legacy: {} }, () => false).place, null, 'nobody can join')
  const { place } = tryGroups({ unified: [base], legacy: {} }, () => true)
  t.deepEqual(place, { version: 2, folder: base })
  const groups = new Groups(place!)
  const read = (file: string): string => readFileSync(path.join(path.dirname(group.procs[0]!), file), 'latin1')
  const group = groups.take({ memoryBytes: 1000, processes: 7 })
  t.equal(read('memory.max'), '1000')
  writeFileSync(path.join(path.dirname(group.procs[0]!), 'memory.events'), 'low 0\noom 3\noom_kill 2\n')
  t.deepEqual([group.hasRunOut(), group.hasRunOut()], [true, false], 'told once')
  groups.giveBack(group)
  t.equal(groups.take({ memoryBytes: 2000, processes: 7 }), group, 'used again')
  t.equal(read('memory.max'), '2000', 'with other limits')
  t.notEqual(groups.take({ memoryBytes: 1, processes: 1 }), group, 'another one for another command')
  t.throws(() => new UnifiedGroup(path.join(base, 'no', 'where')), /ENOENT/)
  t.end()
})

test('a group that cannot be limited is replaced, and no command runs without one', t => {
  const base = createFolder(t)
  const groups = new Groups({ version: 1, folders: { memory: base } })
  const limits = { memoryBytes: 1000, processes: 7 }
  const first = groups.take(limits)
  const folder = path.dirname(first.procs[0]!)
  groups.giveBack(first)
  // the kernel says EBUSY: it cannot be lowered to what is used
  rmSync(path.join(folder, 'memory.limit_in_bytes'))
  mkdirSync(path.join(folder, 'memory.limit_in_bytes'))
  t.equal(groups.take(limits), first, 'the same limits hold still')
  groups.giveBack(first)
  const second = groups.take({ ...limits, memoryBytes: 999 })
  t.notEqual(second, first, 'a new one')
  t.equal(
    readFileSync(path.join(path.dirname(second.procs[0]!), 'memory.limit_in_bytes'), 'latin1'),
    '999',
    'which has the limits'
  )
  t.notEqual(groups.take(limits), first, 'the other one is not used again')
  rmSync(base, { recursive: true })
  t.throws(() => groups.take(limits), /ENOENT/, 'there is none to be had: that is an error')
  t.end()
})

test('files of which one cannot be opened', t => {
  const base = createFolder(t)
  const open = (): string[] =>
    readdirSync('/proc/self/fd')
      .flatMap(fd => linkOrEmpty(`/proc/self/fd/${fd}`))
      .filter(at => at.startsWith(base))
  writeFileSync(path.join(base, 'a'), '')
  t.throws(() => join({ procs: [path.join(base, 'a'), path.join(base, 'no/where')] }), /ENOENT/)
  t.deepEqual(open(), [], 'none stays open')
  writeFileSync(path.join(base, 'cgroup.controllers'), 'memory\n')
  t.equal(
    tryGroups({ unified: [base], legacy: {} }, () => {
      throw new Error('EMFILE')
    }).place,
    null,
    'then there are no groups, and nothing is thrown'
  )
  t.end()
})

test('the limits of a group', t => {
  const limits = { ...DEFAULT_LIMITS, memoryBytes: 128 * MIB, scratchBytes: 512 * MIB }
  const most = (asks: object, isFolderInMemory: boolean): number =>
    groupLimitsOf(limits, asks, isFolderInMemory).memoryBytes / MIB
  t.ok(most({}, true) < 256, 'its folders are in it')
  t.ok(most({ scratchBytes: 512 * MIB }, true) > 640, 'but for those it asked for')
  t.ok(most({ scratchBytes: 512 * MIB }, false) < 256, 'or those on disk')
  t.ok(groupLimitsOf(limits, {}, true).processes > limits.processes, 'and what stands around it')
  t.end()
})

const python = (...lines: string[]): string =>
  `python3 -c '${['import ctypes, mmap, os, socket, time', 'M = 1 << 20', ...lines, 'time.sleep(1000)'].join('\n')}'`
const touch = 'for i in range(0, len(m), 4096): m[i] = 1'
/** Each holds 300 MiB, or as much as it gets. */
const HOARDS: Array<{ name: string, command: string, only?: 'groups', tier?: 'bwrap' }> = [
  {
    name: 'memory of its own, by many',
    command: 'for i in {1..10}; do perl -e \'$x = "a" x 30_000_000; sleep 1000\' & done; wait'
  },
  { name: 'shared memory', command: python('m = mmap.mmap(-1, 300 * M)', touch) },
  {
    name: 'shared memory that it has let go of',
    command: python(
      'm = mmap.mmap(-1, 300 * M)',
      'for at in range(0, len(m), 32 * M):',
      '  for i in range(at, min(at + 32 * M, len(m)), 4096): m[i] = 1',
      '  m.madvise(mmap.MADV_DONTNEED)'
    )
  },
  {
    name: 'shared memory of which it shows a page',
    command: python(
      'c = ctypes.CDLL(None)',
      'c.mmap.restype = ctypes.c_void_p',
      'for n in range(10):',
      '  a = c.mmap(None, 30 * M, 3, 33, -1, ctypes.c_long(0))',
      '  ctypes.memset(a, 1, 30 * M)',
      '  c.munmap(ctypes.c_void_p(a + 4096), 30 * M - 4096)'
    )
  },
  {
    name: 'files in memory',
    only: 'groups',
    tier: 'bwrap',
    command:
      'head -c 100M /dev/zero > /scratch/x; head -c 100M /dev/zero > /tmp/x; head -c 60M /dev/zero > /dev/shm/x; head -c 40M /dev/zero > /scratch/y; sleep 1000'
  },
  {
    name: 'buffers of sockets',
    only: 'groups',
    command: `for i in {1..8}; do ${python('k = []', 'for n in range(120):', '  a, b = socket.socketpair()', '  a.setblocking(False)', '  k += [a, b]', '  try:', '    while True: a.send(bytes(65536))', '  except BlockingIOError: pass')} & done; wait`
  }
]

for (const { name: user, uid } of USERS) {
  for (const kind of ['bwrap', 'landlock'] as const) {
    test(`as ${user}: no more memory than it may, in ${kind}`, async t => {
      const client = await startConfined(t, uid, kind)
      t.equal(client.tier, kind, client.problems.join('; '))
      t.comment(
        client.groups === null ? 'no control groups here' : `control groups of version ${client.groups.version}`
      )
      for (const groups of client.groups === null ? [false] : [true, false]) {
        for (const { name, command, only, tier } of HOARDS) {
          if ((only === 'groups' && !groups) || (tier !== undefined && tier !== kind)) continue
          const { code, message, stderr } = await client.run({
            command, groups, limits: { memoryBytes: 128 * MIB, timeoutMs: 60_000 }
          })
          t.equal(code, 'BW_ERR_COMMAND_MEMORY', `${name}, ${groups ? 'counted' : 'looked at'}: ${message} ${stderr}`)
        }
      }
      await until('nothing is left', () => client.survivors().length === 0)
    })

    test(`as ${user}: all of a sandbox is limited, and waits for everything else, in ${kind}`, async t => {
      const client = await startConfined(t, uid, kind)
      const command = `${kind === 'bwrap' ? 'setsid sleep 1000 & ' : ''}sleep 1000 & sleep 1000`
      for (const nested of kind === 'bwrap' ? [false, true] : [false]) {
        const pid = await client.begin({ command, nested, limits: { memoryBytes: 300 * MIB } })
        const all = (): number[] => (membersOf(new Set([pid])).get(pid) ?? []).map(member => member.pid)
        await until(
          'all of it runs',
          () =>
            all().filter(each => readOrEmpty(`/proc/${each}/comm`) === 'sleep\n').length === (kind === 'bwrap' ? 3 : 2)
        )
        for (const each of all()) {
          const limits = readOrEmpty(`/proc/${each}/limits`)
          const isBounded =
            /^Max core file size +0 +0 /m.test(limits) &&
            /^Max data size +\d+ +\d+ /m.test(limits) &&
            /^Max cpu time +\d+ +\d+ /m.test(limits)
          t.ok(isBounded, `${readOrEmpty(`/proc/${each}/comm`).trim()} has limits`)
        }
        const groupsBySession = readOrEmpty('/proc/sys/kernel/sched_autogroup_enabled') === '1\n'
        const waits = (each: number): boolean =>
          groupsBySession ? / nice 19$/m.test(readOrEmpty(`/proc/${each}/autogroup`)) : true
        await until('all of it waits for everything else', () => all().every(waits))
        t.pass('all of it has the least priority')
        process.kill(-pid, 'SIGKILL')
        await client.ended()
        await until('nothing is left', () => client.survivors().length === 0)
      }
    })
  }
}

test('groups of a client that was killed are removed by the next one', async t => {
  const { place } = findGroups()
  if (place === null) {
    return t.match(findGroups().message, /^No cgroups can be created here/, 'there are none, and it is said')
  }
  const folder = place.version === 2 ? place.folder : place.folders.memory
  const first: Confined = await startConfined(t, process.getuid!())
  await first.begin({ command: 'sleep 1000' })
  const own = (): string[] => readdirSync(folder).filter(name => name.includes(`-${first.child.pid}-`))
  await until('it has one', () => own().length > 0)
  first.child.kill('SIGKILL')
  await until('nothing runs', () => first.survivors().length === 0)
  await first.end()
  t.ok(own().length > 0, 'what a killed one leaves')
  await startConfined(t, process.getuid!())
  t.deepEqual(own(), [], 'the next one has removed it')
})

function linkOrEmpty (at: string): string {
  try {
    return readlinkSync(at)
  } catch {
    return ''
  }
}

function readOrEmpty (file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return ''
  }
}
