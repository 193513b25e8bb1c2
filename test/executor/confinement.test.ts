// The pure parts of the sandbox: limits, arguments of bwrap, what bash does before the command, what is shown,
// remedies.
import { chmodSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import test from 'tape'
import { mountsOf } from '../../lib/executor/binds.ts'
import { DEFAULT_LIMITS, limitsFor, validLimits } from '../../lib/executor/limits.ts'
import { bwrapArgs } from '../../lib/executor/sandbox/bwrap-args.ts'
import { landlockCommand } from '../../lib/executor/sandbox/landlock-script.ts'
import { explainMissing, findOnHost } from '../../lib/executor/sandbox/missing.ts'
import { NEST_CAPABILITIES, nestCommand } from '../../lib/executor/sandbox/nest-script.ts'
import { outerCommand } from '../../lib/executor/sandbox/outer.ts'
import { prelude } from '../../lib/executor/sandbox/prelude.ts'
import { remedyFor } from '../../lib/executor/sandbox/remedies.ts'
import { shownOf, visibleIn } from '../../lib/executor/sandbox/shown.ts'
import { createFolder } from '../helpers/disk.ts'

const HOUR_MS = 3_600_000

test('limits: the task asks, the volunteer decides', t => {
  t.deepEqual(limitsFor({}), DEFAULT_LIMITS, 'nobody says anything')
  t.equal(limitsFor({ timeoutMs: 1000 }).timeoutMs, 1000, 'the task asks for less')
  t.equal(limitsFor({ timeoutMs: 10 * HOUR_MS }).timeoutMs, 10 * HOUR_MS, 'for more')
  t.equal(limitsFor({ timeoutMs: 10 * HOUR_MS }).cpuMs, 40 * HOUR_MS, 'which takes processor time, too')
  t.equal(limitsFor({ timeoutMs: 1000 * HOUR_MS }).timeoutMs, 24 * HOUR_MS, 'for too much')
  t.equal(limitsFor({ memoryBytes: 2 ** 40 }).memoryBytes, DEFAULT_LIMITS.memoryBytes)
  t.equal(limitsFor({ timeoutMs: 10 * HOUR_MS }, { timeoutMs: HOUR_MS }).timeoutMs, HOUR_MS, 'the volunteer gives less')
  t.equal(
    limitsFor({ memoryBytes: 2 ** 33 }, { memoryBytes: 2 ** 34 }).memoryBytes, 2 ** 33, 'more than the task asks for'
  )
  t.equal(limitsFor({}, { memoryBytes: 2 ** 34 }).memoryBytes, 2 ** 34, 'more, and the task does not ask')
  t.equal(limitsFor({ timeoutMs: 10 * HOUR_MS }, { cpuMs: 5000 }).cpuMs, 5000, 'less processor time')
  for (const wrong of [{ timeoutMs: 0 }, { processes: 1.5 }, { memoryBytes: NaN }, { speed: 1 } as object]) {
    t.throws(() => validLimits(wrong), { code: 'BW_ERR_COMPUTE_OPTIONS' }, JSON.stringify(wrong))
  }
  const given = { ...DEFAULT_LIMITS }
  const limits = validLimits(given)
  t.equal(validLimits(limits), limits, 'once')
  given.memoryBytes = NaN
  t.equal(limits.memoryBytes, DEFAULT_LIMITS.memoryBytes, 'they stay as they were checked')
  t.end()
})

const SYSTEM = [{ path: '/bin', link: 'usr/bin' }, { path: '/lib64', link: null }]

test('the arguments of bwrap', t => {
  const args = bwrapArgs({
    limits: { scratchBytes: 1000 },
    system: SYSTEM,
    proc: true,
    seccompFd: 3,
    infoFd: 5,
    shown: {
      copies: [{ path: '/dev/shm/x/etc', at: '/etc' }],
      others: ['/etc/ssl/certs'],
      hidden: [{ path: '/etc/ssl/certs/own.pem', isFolder: false }, { path: '/etc/ssl/certs/own', isFolder: true }]
    },
    mounts: [...mountsOf([{ path: '/home/ada/data', name: 'data' }]), { path: '/w/o', at: '/o', writable: true }]
  })
  const has = (...sequence: string[]): boolean => args.some((_, i) => sequence.every((arg, j) => args[i + j] === arg))
  for (const namespace of ['user', 'pid', 'net', 'ipc', 'uts', 'cgroup-try']) {
    t.ok(has(`--unshare-${namespace}`), `a ${namespace} namespace`)
  }
  for (const flag of ['--disable-userns', '--die-with-parent', '--new-session']) t.ok(has(flag), flag)
  const expected: string[][] = [
    ['--cap-drop', 'ALL'],
    ['--uid', '65534'],
    ['--gid', '65534'],
    ['--seccomp', '3'],
    ['--info-fd', '5'],
    ['--ro-bind', '/usr', '/usr'],
    ['--symlink', 'usr/bin', '/bin'],
    ['--ro-bind', '/lib64', '/lib64'],
    ['--ro-bind', '/dev/shm/x/etc', '/etc', '--ro-bind-try', '/etc/ssl/certs', '/etc/ssl/certs'],
    ['--ro-bind', '/dev/null', '/etc/ssl/certs/own.pem'],
    ['--size', '4096', '--tmpfs', '/etc/ssl/certs/own', '--remount-ro', '/etc/ssl/certs/own'],
    [
      '--proc',
      '/proc',
      '--ro-bind',
      '/proc/sys',
      '/proc/sys',
      '--size',
      '4096',
      '--tmpfs',
      '/proc/1',
      '--remount-ro',
      '/proc/1',
      '--remount-ro',
      '/proc'
    ],
    ['--size', '1000', '--tmpfs', '/dev/shm'],
    ['--size', '1000', '--tmpfs', '/tmp'],
    ['--size', '1000', '--tmpfs', '/scratch'],
    ['--ro-bind', '/home/ada/data', '/scratch/data'],
    ['--bind', '/w/o', '/o']
  ]
  for (const sequence of expected) t.ok(has(...sequence), sequence.join(' '))
  t.deepEqual(args.slice(-4), ['--remount-ro', '/dev', '--remount-ro', '/'], 'in the end nothing else can be written')
  t.equal(args.filter(arg => arg === '--bind').length, 1, 'one thing outside is writable')
  for (const tmpfs of args.flatMap((arg, i) => (arg === '--tmpfs' ? [i] : []))) {
    t.equal(args[tmpfs - 2], '--size', `a size for ${args[tmpfs + 1]}`)
  }
  t.ok(args.indexOf('--seccomp') < args.indexOf('--ro-bind'), 'what takes away comes before what shows')
  const poor = bwrapArgs({ limits: { scratchBytes: 1000 }, system: [], proc: false, seccompFd: 3, infoFd: 5 })
  t.notOk(poor.includes('--proc') || poor.includes('/proc/sys'), 'without /proc')
  t.end()
})

test('the arguments of a nest', t => {
  const args = bwrapArgs({
    limits: { scratchBytes: 1000 },
    system: SYSTEM,
    proc: true,
    capabilities: NEST_CAPABILITIES,
    infoFd: 5
  })
  t.deepEqual(args.filter((_, i) => args[i - 1] === '--cap-add'), ['CAP_SETPCAP', 'CAP_NET_ADMIN', 'CAP_SYS_ADMIN'])
  t.ok(args.indexOf('--cap-drop') < args.indexOf('--cap-add'), 'and no others')
  t.notOk(
    args.includes('--seccomp') || args.includes('/proc/sys') || args.includes('/proc/1'), 'what is done for each item'
  )
  for (const arch of ['x64', 'arm64'] as const) {
    const mounts = [{ at: '/scratch/data', isFolder: true }, { at: '/scratch/one', isFolder: false }]
    const [perl, f, e, script = '', ...rest] = nestCommand({
      perl: '/usr/bin/perl', arch, parts: 32, firstPart: 6, scratchBytes: 1000, mounts, command: ['bash', '-c', 'echo']
    })
    t.deepEqual([perl, f, e], ['/usr/bin/perl', '-f', '-e'])
    t.deepEqual(rest, ['32', '6', '1000', '1000', '2', 'd', '/scratch/data', 'f', '/scratch/one', 'bash', '-c', 'echo'])
    t.notOk(/\b(call|syscall)\([A-Z]/.test(script), 'numbers of all calls')
    t.match(script, arch === 'x64' ? /call\(165, 'proc'/ : /call\(40, 'proc'/)
  }
  t.end()
})

test('the prelude of a command', t => {
  const limits = { ...DEFAULT_LIMITS, cpuMs: 1500, memoryBytes: 1024 ** 2 }
  const text = prelude({ limits, fileBytes: 1025, hard: { openFiles: 100, processes: Infinity } })
  t.notOk(text.includes('\n'), 'one line, so that messages count the lines of the command')
  t.ok(text.endsWith(';'))
  t.match(
    text,
    /ulimit -S -t 2;ulimit -H -t 7;ulimit -c 0 -f 2 -d 1024 -n 100 -u 128;/,
    'rounded up, and no more than the machine gives'
  )
  t.match(text, /in \/proc\/self\/fd\/\*;/)
  t.match(prelude({ limits, fileBytes: 1, highestFd: 40 }), /in \{3\.\.40\};/, 'without /proc')
  t.end()
})

test('the wrapper of bwrap', t => {
  const limits = { ...DEFAULT_LIMITS, cpuMs: 1500, memoryBytes: 1024 ** 2, openFiles: 20 }
  const [shell, c, script = '', ...rest] = outerCommand({
    limits, fileBytes: 1025, hard: { openFiles: 1000, processes: Infinity }, groupFds: [7]
  })
  t.deepEqual([shell, c, rest], ['/bin/sh', '-c', ['outer']])
  t.ok(script.startsWith('echo 0 >&7||exit 125;exec 7>&-;'), 'counted before anything else')
  t.match(
    script,
    /ulimit -c 0;ulimit -f 4;ulimit -d 32768;ulimit -n 128;ulimit -S -t 2;ulimit -H -t 7;/,
    'what bwrap needs, and blocks of 512 bytes'
  )
  t.doesNotMatch(script, /-u /, 'the limit of processes counts all of a user outside of a sandbox')
  t.end()
})

test('why a program is not in the sandbox', t => {
  const places: Record<string, string> = { python3: '/root/.pyenv/shims/python3', node: '/usr/bin/node' }
  const find = (program: string): string | null => places[program] ?? null
  const table: Array<[stderr: string, said: RegExp | null]> = [
    [
      '/bin/bash: line 1: python3: command not found',
      /^On this machine, python3 is \/root\/\.pyenv\/shims\/python3, but the sandbox shows only programs in \/usr\. .*docs\/SECURITY\.md/
    ],
    ['sh: 1: python3: not found', / python3 is /],
    ['env: ‘python3’: No such file or directory', / python3 is /],
    ['/usr/bin/env: ‘python3’: No such file or directory\nmore', / python3 is /],
    ['/bin/bash: line 1: nosuch: command not found', /^nosuch is not installed on this machine/],
    [
      '/bin/bash: line 1: ./x: /opt/p/bin/python: bad interpreter: No such file or directory',
      /^\/opt\/p\/bin\/python is not installed on this machine/
    ],
    ['/bin/bash: line 1: /opt/conda/bin/python: No such file or directory', /^\/opt\/conda\/bin\/python is not/],
    ['/bin/bash: line 1: ./tool: cannot execute: required file not found', null],
    ['/bin/bash: line 1: node: command not found', null],
    ['something else', null]
  ]
  for (const [stderr, said] of table) {
    const explained = explainMissing({ exitCode: 127, stderr }, find)
    if (said === null) t.equal(explained, null, stderr)
    else t.match(String(explained), said, stderr)
  }
  t.equal(
    explainMissing({ exitCode: 1, stderr: 'bash: line 1: python3: command not found' }, find),
    null,
    'it failed for another reason'
  )
  t.equal(explainMissing({ exitCode: null, stderr: 'bash: python3: command not found' }, find), null)
  const folder = createFolder(t)
  writeFileSync(path.join(folder, 'tool'), '', { mode: 0o755 })
  writeFileSync(path.join(folder, 'data'), '', { mode: 0o644 })
  t.equal(findOnHost('tool', ['relative', '/nowhere', folder]), path.join(folder, 'tool'), 'on the path')
  t.equal(findOnHost('data', [folder]), null, 'cannot be run')
  t.equal(findOnHost(path.join(folder, 'tool'), []), path.join(folder, 'tool'))
  t.end()
})

test('the parts of /etc and /var that are shown', t => {
  const root = createFolder(t)
  const put = (name: string, mode = 0o644): void => {
    mkdirSync(path.join(root, path.dirname(name)), { recursive: true })
    writeFileSync(path.join(root, name), '')
    chmodSync(path.join(root, name), mode)
  }
  for (const name of [
    'etc/shadow',
    'etc/passwd',
    'etc/hostname',
    'etc/machine-id',
    'etc/ssh/ssh_config',
    'etc/ssl/private/x.key',
    'etc/gitconfig',
    'var/log/messages',
    'etc/java-17-openjdk/security/java.security',
    'etc/ssl/certs/ca-certificates.crt',
    'etc/ssl/certs/snakeoil.pem',
    'etc/mime.types',
    'etc/php/8.2/cli/conf.d/10.ini',
    'etc/php/8.2/cli/php.ini',
    'etc/R/Renviron.site'
  ])
    put(name)
  put('etc/java-17-openjdk/management/jmxremote.password')
  put('etc/perl/secret', 0o600)
  mkdirSync(path.join(root, 'etc/fonts'), { mode: 0o700 })
  mkdirSync(path.join(root, 'home/ada'), { recursive: true })
  symlinkSync(path.join(root, 'home/ada'), path.join(root, 'etc/xml'))
  for (let at = root; at !== '/'; at = path.dirname(at)) if ((statSync(at).mode & 1) === 0) chmodSync(at, 0o711)
  const shown = shownOf(root)
    .map(({ path: at, hidden }) => [at, ...hidden].map(each => path.relative(root, each)).join(' '))
    .toSorted((a, b) => (a < b ? -1 : 1))
  t.deepEqual(shown, [
    'etc/R etc/R/Renviron.site',
    'etc/java-17-openjdk etc/java-17-openjdk/management/jmxremote.password',
    'etc/mime.types',
    'etc/perl etc/perl/secret',
    'etc/php/8.2/cli/conf.d',
    'etc/ssl/certs etc/ssl/certs/snakeoil.pem'
  ], 'what comes with packages, without what is somebody’s')
  const at = (name: string): string => path.join(root, name)
  t.deepEqual(
    visibleIn({ path: at('etc/java-17-openjdk'), hidden: [at('etc/java-17-openjdk/management/jmxremote.password')] }),
    {
      lists: [at('etc/java-17-openjdk'), at('etc/java-17-openjdk/management')],
      reads: [at('etc/java-17-openjdk/security')]
    }
  )
  t.end()
})

test('the command line for Landlock', t => {
  for (const arch of ['x64', 'arm64'] as const) {
    const rules = [
      { path: '/usr', may: 'read' }, { path: '/w', may: 'write' }, { path: '/dev/null', may: 'device' }
    ] as const
    const [perl, f, e, script = '', ...rest] = landlockCommand({
      perl: '/usr/bin/perl', arch, user: 65_534, stdin: '/in', rules, command: ['bash', '-c', 'echo']
    })
    t.deepEqual([perl, f, e], ['/usr/bin/perl', '-f', '-e'])
    t.deepEqual(rest, [
      '65534', '/in', '3', '13', '/usr', String(0xffff - 0x8a40), '/w', String(0x4006), '/dev/null', 'bash', '-c', 'echo'
    ])
    t.notOk(
      /\b(HANDLED|FOR_FILES|NEEDED|WRITABLE|[A-Z]+_RULE\w*|[A-Z]+_SELF|PRCTL|CAPSET|SET[A-Z]+)\b/.test(script),
      'numbers in place of all names'
    )
    t.match(script, arch === 'x64' ? /'setgroups', 116/ : /'setgroups', 159/)
  }
  t.end()
})

test('advice if a sandbox does not work', t => {
  const table: Array<[string, RegExp]> = [
    ['bwrap: setting up uid map: Permission denied', /AppArmor/],
    ['bwrap: No permissions to create new namespace, likely because the kernel does not allow …', /Allow them/],
    ['bwrap: Creating new namespace failed: No space left on device', /max_user_namespaces/],
    ['bwrap: Unknown option --disable-userns', /older than 0\.8\. Update/],
    ["bwrap: Can't mount proc on /newroot/proc: Operation not permitted", /hides parts of \/proc/]
  ]
  for (const [said, remedy] of table) t.match(remedyFor('bwrap', said), remedy, said)
  t.equal(remedyFor('bwrap', 'what\nelse'), 'bwrap does not work here (what else).', 'one line, whatever it said')
  t.end()
})
