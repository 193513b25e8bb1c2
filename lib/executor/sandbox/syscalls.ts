/**
 * The numbers of the system calls that the filter knows, from Linux's unistd.h (6.x). Pure data, used by seccomp.ts.
 */

/** The machines that have a filter, by Node's names. */
export type Arch = 'x64' | 'arm64'

/** Number on x64 and on arm64; null where the machine has no such call. */
type Numbers = readonly [x64: number | null, arm64: number | null]

/** Refused with EPERM: calls that reach into the kernel or other processes, or that no computation needs. */
export const FORBIDDEN: Record<string, Numbers> = {
  // the kernel and the machine
  syslog: [103, 116],
  acct: [163, 89],
  bpf: [321, 280],
  perf_event_open: [298, 241],
  lookup_dcookie: [212, 18],
  kexec_load: [246, 104],
  kexec_file_load: [320, 294],
  reboot: [169, 142],
  swapon: [167, 224],
  swapoff: [168, 225],
  init_module: [175, 105],
  finit_module: [313, 273],
  delete_module: [176, 106],
  create_module: [174, null],
  quotactl: [179, 60],
  quotactl_fd: [443, 443],
  nfsservctl: [180, 42],
  _sysctl: [156, null],
  uselib: [134, null],
  settimeofday: [164, 170],
  clock_settime: [227, 112],
  clock_adjtime: [305, 266],
  adjtimex: [159, 171],
  sethostname: [170, 161],
  setdomainname: [171, 162],
  vhangup: [153, 58],
  iopl: [172, null],
  ioperm: [173, null],
  modify_ldt: [154, null],
  // keys, which are not in any namespace
  add_key: [248, 217],
  request_key: [249, 218],
  keyctl: [250, 219],
  // namespaces and mounts
  unshare: [272, 97],
  setns: [308, 268],
  chroot: [161, 51],
  pivot_root: [155, 41],
  mount: [165, 40],
  umount2: [166, 39],
  open_tree: [428, 428],
  open_tree_attr: [467, 467],
  statmount: [457, 457],
  listmount: [458, 458],
  listns: [470, 470],
  move_mount: [429, 429],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  mount_setattr: [442, 442],
  name_to_handle_at: [303, 264],
  open_by_handle_at: [304, 265],
  fanotify_init: [300, 262],
  fanotify_mark: [301, 263],
  // other processes
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  process_madvise: [440, 440],
  kcmp: [312, 272],
  pidfd_getfd: [438, 438],
  // common starting points of attacks on the kernel
  userfaultfd: [323, 282],
  move_pages: [279, 239],
  mbind: [237, 235],
  get_mempolicy: [239, 236],
  set_mempolicy: [238, 237],
  migrate_pages: [256, 238],
  set_mempolicy_home_node: [450, 450],
  // flags of files, which can be changed even through a read-only descriptor
  file_setattr: [469, 469],
  // counted by user, not by namespace
  mq_open: [240, 180],
  mq_unlink: [241, 181],
  // back from idle I/O
  ioprio_set: [251, 30]
}

/** Answered with ENOSYS, so that programs use an older call that the filter can check, or do without. */
export const UNKNOWN: Record<string, Numbers> = {
  clone3: [435, 435], // its flags are behind a pointer
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427], // does what the filter refuses
  // a machine or user has few of these, in all namespaces together
  io_setup: [206, 0],
  inotify_init: [253, null],
  inotify_init1: [294, 26],
  memfd_create: [319, 279],
  memfd_secret: [447, 447],
  shmget: [29, 194] // memory that no limit counts
}

/** Allowed or refused by their arguments. */
export const CHECKED = {
  clone: [56, 220],
  ioctl: [16, 29],
  personality: [135, 92],
  socket: [41, 198],
  socketpair: [53, 199],
  fcntl: [72, 25],
  fallocate: [285, 47]
} satisfies Record<string, Numbers>

/** Also refused where there are no namespaces. */
export const SHARED: Record<string, Numbers> = {
  setsid: [112, 157], // a process that leaves its session could outlive the command
  // Landlock decides which files are opened, not whose owner or time is changed, or where a socket listens
  chown: [92, null],
  fchown: [93, 55],
  lchown: [94, null],
  fchownat: [260, 54],
  utime: [132, null],
  utimes: [235, null],
  futimesat: [261, null],
  setxattr: [188, 5],
  lsetxattr: [189, 6],
  fsetxattr: [190, 7],
  removexattr: [197, 14],
  lremovexattr: [198, 15],
  fremovexattr: [199, 16],
  setxattrat: [463, 463],
  removexattrat: [466, 466],
  // would give a socket a name that nobody else on the machine could use
  bind: [49, 200],
  listen: [50, 201],
  connect: [42, 203],
  accept: [43, 202],
  accept4: [288, 242],
  // memory, semaphores and queues of others
  shmat: [30, 196],
  shmctl: [31, 195],
  semget: [64, 190],
  semop: [65, 193],
  semctl: [66, 191],
  semtimedop: [220, 192],
  msgget: [68, 186],
  msgsnd: [69, 189],
  msgrcv: [70, 188],
  msgctl: [71, 187],
  process_mrelease: [448, 448]
}

/**
 * Reported as done, but not done, where there are no namespaces: Landlock does not control changes of modes. Many
 * programs fail if the call fails (git init, cp -p, tar), and few if the mode is unchanged, as on a disk without modes.
 */
export const PRETENDED: Record<string, Numbers> = {
  chmod: [90, null],
  fchmod: [91, 52],
  fchmodat: [268, 53],
  fchmodat2: [452, 452]
}

/** Allowed only for the process itself: pid 0. */
export const OWN_ONLY: Record<string, Numbers> = {
  prlimit64: [302, 261],
  sched_setaffinity: [203, 122],
  sched_setscheduler: [144, 119],
  sched_setparam: [142, 118],
  sched_setattr: [314, 274]
}

/** Allowed or refused by their arguments where there are no namespaces. */
export const SHARED_CHECKED = {
  setpriority: [141, 140], utimensat: [280, 88]
} satisfies Record<string, Numbers>

/** The number of a call on a machine. */
export function numberOn (arch: Arch, numbers: Numbers): number | null {
  return numbers[arch === 'x64' ? 0 : 1]
}

/** Calls of our perl scripts for which perl has no function. */
const PERL_CALLS: Record<string, Numbers> = {
  CLONE: [56, 220],
  MOUNT: [165, 40],
  PRCTL: [157, 167],
  CAPSET: [126, 91],
  DUP3: [292, 24],
  CLOSE: [3, 57],
  CLOSE_RANGE: [436, 436],
  EXIT_GROUP: [231, 94],
  PPOLL: [271, 73],
  CREATE_RULESET: [444, 444],
  ADD_RULE: [445, 445],
  RESTRICT_SELF: [446, 446],
  SETGROUPS: [116, 159],
  SETRESGID: [119, 149],
  SETRESUID: [117, 147]
}

/** A perl script with the names of calls, and other words, replaced by numbers. */
export function perlScript (script: string, arch: Arch, words: Record<string, number> = {}): string {
  return script.replaceAll(/\b[A-Z]+[A-Z0-9_]+\b/g, word => {
    const call = PERL_CALLS[word]
    return String((call === undefined ? words[word] : numberOn(arch, call)) ?? word)
  })
}
