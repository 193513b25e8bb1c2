// The sandbox's filter of system calls, run instruction by instruction.
import test from 'tape'
import { seccompFilter } from '../../lib/executor/sandbox/seccomp.ts'
import type { Arch } from '../../lib/executor/sandbox/seccomp.ts'
import { FORBIDDEN, SHARED, UNKNOWN, numberOn } from '../../lib/executor/sandbox/syscalls.ts'

const ARCH: Record<Arch, number> = { x64: 0xC000003E, arm64: 0xC00000B7 }
const MACHINES: Arch[] = ['x64', 'arm64']
const ALLOW = 0x7FFF0000
const KILL = 0x80000000
const errno = (n: number): number => 0x00050000 | n
const [EPERM, ENOSYS, EAFNOSUPPORT, ENOTTY, EOPNOTSUPP] = [errno(1), errno(38), errno(97), errno(25), errno(95)]

interface Call { arch: number, nr: number, args?: bigint[] }

/** What the kernel does with the program for a call: classic BPF over struct seccomp_data. */
function run (program: Buffer, { arch, nr, args = [] }: Call): number {
  const data = Buffer.alloc(64)
  data.writeUInt32LE(nr >>> 0, 0)
  data.writeUInt32LE(arch, 4)
  args.forEach((arg, i) => data.writeBigUInt64LE(BigInt.asUintN(64, arg), 16 + 8 * i))
  let accumulator = 0
  for (let at = 0; at * 8 < program.length;) {
    const [code, jt, jf, k] = [
      program.readUInt16LE(at * 8), program[at * 8 + 2]!, program[at * 8 + 3]!, program.readUInt32LE(at * 8 + 4)
    ]
    at++
    switch (code) {
      case 0x20: accumulator = data.readUInt32LE(k); break
      case 0x15: at += accumulator === k ? jt : jf; break
      case 0x35: at += accumulator >= k ? jt : jf; break
      case 0x45: at += (accumulator & k) !== 0 ? jt : jf; break
      case 0x06: return k
      default: throw new Error(`no such instruction: ${code}`)
    }
  }
  throw new Error('the program has no end')
}

// what a computation lives on: number on x64, on arm64
const ORDINARY: Record<string, [number, number]> = {
  read: [0, 63],
  write: [1, 64],
  openat: [257, 56],
  close: [3, 57],
  mmap: [9, 222],
  mprotect: [10, 226],
  brk: [12, 214],
  execve: [59, 221],
  exit_group: [231, 94],
  wait4: [61, 260],
  pipe2: [293, 59],
  dup3: [292, 24],
  fcntl: [72, 25],
  futex: [202, 98],
  getrandom: [318, 278],
  prctl: [157, 167],
  kill: [62, 129],
  rt_sigaction: [13, 134],
  setpriority: [141, 140],
  sched_setaffinity: [203, 122],
  seccomp: [317, 277],
  landlock_restrict_self: [446, 446]
}

test('calls that are let through, refused, or unknown', t => {
  MACHINES.forEach((machine, i) => {
    const program = seccompFilter(machine)
    const arch = ARCH[machine]
    for (const [name, numbers] of Object.entries(ORDINARY)) {
      t.equal(run(program, { arch, nr: numbers[i]! }), ALLOW, `${machine}: ${name}`)
    }
    for (const [table, verdict] of [[FORBIDDEN, EPERM], [UNKNOWN, ENOSYS]] as const) {
      for (const [name, numbers] of Object.entries(table)) {
        const nr = numberOn(machine, numbers)
        if (nr !== null) t.equal(run(program, { arch, nr }), verdict, `${machine}: ${name}`)
      }
    }
  })
  t.end()
})

test('calls that depend on their arguments', t => {
  const HIGH = 0x1_0000_0000n
  const table: Array<[name: string, numbers: [number, number], args: bigint[], verdict: number]> = [
    ['fork', [56, 220], [0x01200011n], ALLOW],
    ['a thread', [56, 220], [0x003D0F00n], ALLOW],
    ...[0x00020000n, 0x02000000n, 0x04000000n, 0x08000000n, 0x10000000n, 0x20000000n, 0x40000000n]
      .map((flag): [string, [number, number], bigint[], number] => [`clone with 0x${flag.toString(16)}`, [56, 220], [flag | 0x11n], EPERM]),
    ['ioctl FIONREAD', [16, 29], [0n, 0x541Bn], ALLOW],
    ['ioctl TIOCSTI', [16, 29], [0n, 0x5412n], EPERM],
    ['ioctl TIOCSTI, high bits set', [16, 29], [0n, HIGH | 0x5412n], EPERM],
    ['ioctl TIOCLINUX', [16, 29], [0n, 0x541Cn], EPERM],
    ['ioctl FS_IOC_GETFLAGS', [16, 29], [0n, 0x80086601n], ALLOW],
    ...[0x40086602n, 0x401C5820n, 0x40087602n, 0x40806685n, 0x800C6613n, 0xC0045877n]
      .map((request): [string, [number, number], bigint[], number] => [`ioctl 0x${request.toString(16)}, of a file's flags`, [16, 29], [0n, request], EPERM]),
    ['fcntl F_SETLK', [72, 25], [3n, 6n], ALLOW],
    ['fcntl F_SETFL', [72, 25], [3n, 4n], ALLOW],
    ['fcntl F_SETLEASE', [72, 25], [3n, 1024n], EPERM],
    ['fcntl F_NOTIFY', [72, 25], [3n, 1026n], EPERM],
    ['fallocate', [285, 47], [3n, 0n], ALLOW],
    ['fallocate, a hole', [285, 47], [3n, 3n], ALLOW],
    ['fallocate beyond the end', [285, 47], [3n, 1n], EOPNOTSUPP],
    ['fallocate, zeros beyond the end', [285, 47], [3n, 0x11n], EOPNOTSUPP],
    ['a pair of unix sockets', [53, 199], [1n, 2n], ALLOW],
    ['a pair of TIPC sockets', [53, 199], [30n, 1n], EAFNOSUPPORT],
    ['a pair of unix sockets, high bits set', [53, 199], [HIGH | 30n, 1n], EAFNOSUPPORT],
    ['personality(0)', [135, 92], [0n], ALLOW],
    ['personality(-1)', [135, 92], [0xFFFFFFFFn], ALLOW],
    ['personality(ADDR_NO_RANDOMIZE)', [135, 92], [0x40000n], EPERM],
    ['a unix socket', [41, 198], [1n], ALLOW],
    ['an IPv4 socket', [41, 198], [2n], ALLOW],
    ['an IPv6 socket', [41, 198], [10n], ALLOW],
    ['a netlink socket', [41, 198], [16n], EAFNOSUPPORT],
    ['a packet socket', [41, 198], [17n], EAFNOSUPPORT],
    ['a vsock socket', [41, 198], [40n], EAFNOSUPPORT],
    ['a vsock socket, high bits set', [41, 198], [HIGH | 40n], EAFNOSUPPORT]
  ]
  MACHINES.forEach((machine, i) => {
    const program = seccompFilter(machine)
    for (const [name, numbers, args, verdict] of table) {
      t.equal(run(program, { arch: ARCH[machine], nr: numbers[i]!, args }), verdict, `${machine}: ${name}`)
    }
    const closed = seccompFilter(machine, { isShared: true })
    const [ioctl, fcntl] = [[16, 29][i]!, [72, 25][i]!]
    const asked = (nr: number, request: bigint): number => run(closed, { arch: ARCH[machine], nr, args: [0n, request] })
    for (const request of [0x5401n, 0x541bn, 0x5421n]) {
      t.equal(asked(ioctl, request), ALLOW, `${machine}: ioctl ${request}`)
    }
    for (const request of [0x5412n, 0x40086602n, 0x1234n]) {
      t.equal(asked(ioctl, request), ENOTTY, `${machine}: ioctl ${request}`)
    }
    for (const request of [8n, 10n, 15n, 1024n]) t.equal(asked(fcntl, request), EPERM, `${machine}: fcntl ${request}`)
    for (const family of [1n, 2n, 10n, 40n])
      t.equal(
        run(closed, { arch: ARCH[machine], nr: [41, 198][i]!, args: [family] }),
        EAFNOSUPPORT,
        `${machine}: no family ${family}`
      )
  })
  t.end()
})

test('calls where no namespaces are in the way', t => {
  const table: Array<[name: string, numbers: [number, number], args: bigint[], verdict: number]> = [
    ['its own limits', [302, 261], [0n], ALLOW],
    ["another's limits", [302, 261], [1n], EPERM],
    ['its own processors', [203, 122], [0n], ALLOW],
    ["another's processors", [203, 122], [4000n], EPERM],
    ['its own priority', [141, 140], [0n, 0n], ALLOW],
    ["another's priority", [141, 140], [0n, 7n], EPERM],
    ["a user's priority", [141, 140], [2n, 0n], EPERM],
    ['the time of an open file', [280, 88], [3n, 0n], ALLOW],
    ['the time of a path', [280, 88], [3n, 0x7FFF_1234_5678n], EPERM],
    ['the time of a path whose low half is 0', [280, 88], [3n, 0x7FFF_0000_0000n], EPERM],
    ['a stream pair', [53, 199], [1n, 0x80801n], ALLOW],
    ['a datagram pair', [53, 199], [1n, 2n], EPERM],
    ['a pair of packets', [53, 199], [1n, 0x80005n], EPERM]
  ]
  MACHINES.forEach((machine, i) => {
    const program = seccompFilter(machine, { isShared: true })
    const apart = seccompFilter(machine)
    for (const [name, numbers, args, verdict] of table) {
      t.equal(run(program, { arch: ARCH[machine], nr: numbers[i]!, args }), verdict, `${machine}: ${name}`)
      t.equal(run(apart, { arch: ARCH[machine], nr: numbers[i]!, args }), ALLOW, `${machine}: ${name}, in namespaces`)
    }
    for (const [name, numbers] of Object.entries(SHARED)) {
      const nr = numberOn(machine, numbers)
      if (nr !== null) t.equal(run(program, { arch: ARCH[machine], nr }), EPERM, `${machine}: ${name}`)
    }
  })
  t.end()
})

test('another machine’s calls, and x32', t => {
  for (const machine of MACHINES) {
    const other = machine === 'x64' ? 'arm64' : 'x64'
    t.equal(run(seccompFilter(machine), { arch: ARCH[other], nr: 0 }), KILL, `${other} on ${machine}`)
    t.equal(run(seccompFilter(machine), { arch: 0x40000003, nr: 1 }), KILL, `i386 on ${machine}`)
  }
  t.equal(run(seccompFilter('x64'), { arch: ARCH.x64, nr: 0x40000000 }), ENOSYS, 'x32 on x64')
  t.equal(run(seccompFilter('x64'), { arch: ARCH.x64, nr: 0x40000000 + 101 }), ENOSYS, 'whichever it is')
  t.end()
})

test('the kernel takes no more than 4096 instructions, and every jump stays within', t => {
  for (const machine of MACHINES) {
    const program = seccompFilter(machine)
    const count = program.length / 8
    t.ok(count < 4096, `${machine}: ${count}`)
    const isWithin = Array.from(
      { length: count }, (_, at) => at + 1 + Math.max(program[at * 8 + 2]!, program[at * 8 + 3]!)
    ).every((target, at) => program.readUInt16LE(at * 8) === 0x06 || target < count)
    t.ok(isWithin, 'jumps')
    t.equal(program.readUInt16LE((count - 1) * 8), 0x06, 'it ends')
  }
  t.end()
})
