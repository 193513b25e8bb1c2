/**
 * The seccomp filter of the sandbox: a classic BPF program over `struct seccomp_data`, as bytes for bwrap or prctl(2).
 * It is a deny list, after Flatpak's. Pure: the same bytes for the same machine.
 *
 * It is a straight line of comparisons: about 100 of them cost tens of nanoseconds per call, and are easy to read.
 */
import { CHECKED, FORBIDDEN, OWN_ONLY, PRETENDED, SHARED, SHARED_CHECKED, UNKNOWN, numberOn } from './syscalls.ts'
import type { Arch } from './syscalls.ts'

export type { Arch } from './syscalls.ts'

/** Options of the filter. */
export interface FilterOptions {
  /**
   * the command shares processes, network and IPC with the rest of the machine: it gets no sockets, no access to other
   * processes, and none to files except by opening them. Default false: namespaces separate these
   */
  isShared?: boolean
}

/** code, jt, jf, k of `struct sock_filter` */
type Instruction = readonly [code: number, jt: number, jf: number, k: number]

const AUDIT_ARCH: Record<Arch, number> = { x64: 0xC000003E, arm64: 0xC00000B7 }
/** The bit of x32 calls, which number the same calls differently. */
const X32_BIT = 0x40000000

const LOAD = 0x20 // BPF_LD | BPF_W | BPF_ABS
const JUMP_EQ = 0x15
const JUMP_GE = 0x35
const JUMP_SET = 0x45
const RETURN = 0x06

// offsets in struct seccomp_data; for an argument, its low half (both machines are little-endian), because the kernel
// itself treats these arguments as 32-bit numbers
const NUMBER = 0
const ARCHITECTURE = 4
const argument = (n: number): number => 16 + 8 * n

const ALLOW = 0x7FFF0000
/** Does nothing, and reports success. */
const PRETEND = 0x00050000
const KILL = 0x80000000
const EPERM = 0x00050000 | 1
const ENOSYS = 0x00050000 | 38
const EAFNOSUPPORT = 0x00050000 | 97
const ENOTTY = 0x00050000 | 25
const EOPNOTSUPP = 0x00050000 | 95

/** All CLONE_NEW*: most holes of the kernel are reached from a new namespace. */
const CLONE_NEW = 0x7E020000
/** TIOCSTI and TIOCLINUX type into the terminal. */
const TERMINAL_INPUT = [0x5412, 0x541C]
const AF = { unix: 1, inet: 2, inet6: 10 }
/**
 * Requests that change a file through a read-only descriptor, its flags or whether it is writable: FS_IOC_SETFLAGS
 * (also 32-bit), _FSSETXATTR, _SETVERSION (also 32-bit, and ext4's), _ENABLE_VERITY, _SET_ENCRYPTION_POLICY, FIFREEZE,
 * FITHAW.
 */
const FILE_FLAGS = [
  0x40086602, 0x40046602, 0x401c5820, 0x40087602, 0x40047602, 0x40086604, 0x40806685, 0x800c6613, 0xc0045877, 0xc0045878
]
/**
 * The allowed requests where no mount makes files read-only: TCGETS, TIOCGPGRP, TIOCGWINSZ, FIONREAD, FIONBIO,
 * FIONCLEX, FIOCLEX, FIOQSIZE, FIGETBSZ, FS_IOC_GETFLAGS, FICLONE, FICLONERANGE, FS_IOC_FIEMAP.
 */
const PLAIN_REQUESTS = [
  0x5401, 0x540f, 0x5413, 0x541b, 0x5421, 0x5450, 0x5451, 0x5460, 2, 0x80086601, 0x40049409, 0x4020940d, 0xc020660b
]
/** F_SETLEASE and F_NOTIFY: a process that opens the file elsewhere would have to wait, or be reported. */
const FILE_LEASES = [1024, 1026]
/** F_SETOWN, F_SETSIG, F_SETOWN_EX: would send a signal to any process. */
const FILE_OWNERS = [8, 10, 15]
const [KEEP_SIZE, PUNCH_HOLE] = [1, 2]

/** The filter for a machine, in its byte order. */
export function seccompFilter (arch: Arch, { isShared = false }: FilterOptions = {}): Buffer {
  return assemble([
    [LOAD, 0, 0, ARCHITECTURE],
    [JUMP_EQ, 1, 0, AUDIT_ARCH[arch]],
    [RETURN, 0, 0, KILL],
    [LOAD, 0, 0, NUMBER],
    ...arch === 'x64' ? refuse(JUMP_GE, X32_BIT, ENOSYS) : [],
    ...Object.values(FORBIDDEN).flatMap(numbers => onCall(numberOn(arch, numbers), [[RETURN, 0, 0, EPERM]])),
    ...Object.values(UNKNOWN).flatMap(numbers => onCall(numberOn(arch, numbers), [[RETURN, 0, 0, ENOSYS]])),
    ...onCall(numberOn(arch, CHECKED.clone), [
      [LOAD, 0, 0, argument(0)],
      ...refuse(JUMP_SET, CLONE_NEW, EPERM),
      [RETURN, 0, 0, ALLOW]
    ]),
    ...onCall(numberOn(arch, CHECKED.ioctl), [
      [LOAD, 0, 0, argument(1)],
      ...isShared
        ? [...PLAIN_REQUESTS.flatMap(request => refuse(JUMP_EQ, request, ALLOW)), [RETURN, 0, 0, ENOTTY] as const]
        : [
            ...[...TERMINAL_INPUT, ...FILE_FLAGS].flatMap(request => refuse(JUMP_EQ, request, EPERM)),
            [RETURN, 0, 0, ALLOW] as const
          ]
    ]),
    ...onCall(numberOn(arch, CHECKED.fcntl), [
      [LOAD, 0, 0, argument(1)],
      ...[...FILE_LEASES, ...isShared ? FILE_OWNERS : []].flatMap(request => refuse(JUMP_EQ, request, EPERM)),
      [RETURN, 0, 0, ALLOW]
    ]),
    // allocates space that no size shows: for a file that it writes to, only the size is checked often
    ...onCall(numberOn(arch, CHECKED.fallocate), [
      [LOAD, 0, 0, argument(1)],
      ...refuse(JUMP_SET, PUNCH_HOLE, ALLOW),
      ...refuse(JUMP_SET, KEEP_SIZE, EOPNOTSUPP),
      [RETURN, 0, 0, ALLOW]
    ]),
    // 0 is normal Linux, -1 only asks; others turn off protections
    ...onCall(numberOn(arch, CHECKED.personality), [
      [LOAD, 0, 0, argument(0)],
      ...[0, 0xFFFFFFFF].flatMap(persona => refuse(JUMP_EQ, persona, ALLOW)),
      [RETURN, 0, 0, EPERM]
    ]),
    ...onCall(numberOn(arch, CHECKED.socket), [
      [LOAD, 0, 0, argument(0)],
      ...isShared ? [] : Object.values(AF).flatMap(family => refuse(JUMP_EQ, family, ALLOW)),
      [RETURN, 0, 0, EAFNOSUPPORT]
    ]),
    ...onCall(numberOn(arch, CHECKED.socketpair), [
      [LOAD, 0, 0, argument(0)],
      [JUMP_EQ, 1, 0, AF.unix],
      [RETURN, 0, 0, EAFNOSUPPORT],
      // SOCK_STREAM (1), which is connected for good; other types could be connected to a socket outside
      ...isShared ? [[LOAD, 0, 0, argument(1)] as const, ...refuse(JUMP_SET, 0xE, EPERM)] : [],
      [RETURN, 0, 0, ALLOW]
    ]),
    ...isShared ? refuseShared(arch) : [],
    [RETURN, 0, 0, ALLOW]
  ])
}

/** Calls that would reach beyond the command where only this filter and Landlock confine it. */
function refuseShared (arch: Arch): Instruction[] {
  const isNot = (n: number, value: number): Instruction[] => [
    [LOAD, 0, 0, argument(n)], [JUMP_EQ, 1, 0, value], [RETURN, 0, 0, EPERM]
  ]
  return [
    ...Object.values(SHARED).flatMap(numbers => onCall(numberOn(arch, numbers), [[RETURN, 0, 0, EPERM]])),
    ...Object.values(PRETENDED).flatMap(numbers => onCall(numberOn(arch, numbers), [[RETURN, 0, 0, PRETEND]])),
    ...Object.values(OWN_ONLY).flatMap(numbers =>
      onCall(numberOn(arch, numbers), [...isNot(0, 0), [RETURN, 0, 0, ALLOW]])
    ),
    ...onCall(numberOn(arch, SHARED_CHECKED.setpriority), [...isNot(0, 0), ...isNot(1, 0), [RETURN, 0, 0, ALLOW]]),
    // for an open file, not for a path: both halves of the pointer are checked
    ...onCall(numberOn(arch, SHARED_CHECKED.utimensat), [
      ...isNot(1, 0),
      [LOAD, 0, 0, argument(1) + 4],
      [JUMP_EQ, 0, 1, 0],
      [RETURN, 0, 0, ALLOW],
      [RETURN, 0, 0, EPERM]
    ])
  ]
}

/** Returns `result` if the comparison holds; otherwise continues. */
function refuse (jump: number, value: number, result: number): Instruction[] {
  return [[jump, 0, 1, value], [RETURN, 0, 0, result]]
}

/** For this call, runs `body`, which always returns. */
function onCall (number: number | null, body: Instruction[]): Instruction[] {
  return number === null ? [] : [[JUMP_EQ, 0, body.length, number], ...body]
}

function assemble (program: Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8)
  program.forEach(([code, jt, jf, k], i) => {
    bytes.writeUInt16LE(code, i * 8)
    bytes.writeUInt8(jt, i * 8 + 2)
    bytes.writeUInt8(jf, i * 8 + 3)
    bytes.writeUInt32LE(k, i * 8 + 4)
  })
  return bytes
}
