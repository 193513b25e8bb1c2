/**
 * Confines a command where namespaces are not available: by Landlock (files) and seccomp (system calls). A process
 * applies both to itself, and everything that it starts inherits them, so a small script does this and then becomes
 * bash. It is in Perl, which can make system calls, and which every Debian has. Pure.
 */
import { perlScript } from './syscalls.ts'
import type { Arch } from './syscalls.ts'

/** The version of Landlock that also blocks signals to processes outside, and abstract unix sockets: Linux 6.12. */
const NEEDED = 6

/** `LANDLOCK_ACCESS_FS_*`, by bit. */
const ACCESS = {
  EXECUTE: 0,
  WRITE_FILE: 1,
  READ_FILE: 2,
  READ_DIR: 3,
  REMOVE_DIR: 4,
  REMOVE_FILE: 5,
  MAKE_CHAR: 6,
  MAKE_DIR: 7,
  MAKE_REG: 8,
  MAKE_SOCK: 9,
  MAKE_FIFO: 10,
  MAKE_BLOCK: 11,
  MAKE_SYM: 12,
  REFER: 13,
  TRUNCATE: 14,
  IOCTL_DEV: 15
} as const

const bits = (...names: Array<keyof typeof ACCESS>): number => names.reduce((sum, name) => sum + 2 ** ACCESS[name], 0)

/** Everything is refused unless a rule allows it. */
const HANDLED = bits(...Object.keys(ACCESS) as Array<keyof typeof ACCESS>)
/** What may be done with a path. Of the rights for a folder, a file gets those that apply to files. */
const RIGHTS = {
  read: bits('EXECUTE', 'READ_FILE', 'READ_DIR'),
  list: bits('READ_DIR'),
  device: bits('READ_FILE', 'WRITE_FILE', 'TRUNCATE'),
  driver: bits('READ_FILE', 'WRITE_FILE', 'TRUNCATE', 'IOCTL_DEV'),
  write: HANDLED - bits('MAKE_CHAR', 'MAKE_BLOCK', 'MAKE_SOCK', 'IOCTL_DEV')
}
const FOR_FILES = bits('EXECUTE', 'WRITE_FILE', 'READ_FILE', 'TRUNCATE', 'IOCTL_DEV')

/**
 * First it waits for a line (`letBegin`, launch.ts).
 *
 * Root changes to the commands' user, but keeps CAP_DAC_OVERRIDE (1): that user may not enter every folder above root's
 * files, and Landlock decides which files are accessible. SECBIT_NO_SETUID_FIXUP (4): the capability is not lost with
 * root's number, and access(2) considers it, which gcc uses to check whether it can write. stdout and stderr may be
 * opened again (/dev/stdout).
 */
const SCRIPT = String.raw`
use strict;
my ($user, $stdin, $count) = splice @ARGV, 0, 3;
my @rules = splice @ARGV, 0, 2 * $count;
sub bad { print STDERR "@_\n"; exit 125 }
sub call { my ($what, $n, @a) = @_; my $r = syscall($n, map { /^-?\d+\z/ ? $_ + 0 : $_ } @a); bad("$what: $!") if $r < 0; $r }
sysread STDIN, my $word, 1 or exit 125;
open STDIN, '<', $stdin or bad("$stdin: $!");
my $none = 0;
my $version = syscall(CREATE_RULESET, $none, 0, 1);
bad("Landlock: $!") if $version < 0;
bad("Landlock has version $version, but NEEDED is needed") if $version < NEEDED;
open my $file, '<&=', 3 or bad("no filter: $!");
binmode $file;
my $filter = do { local $/; <$file> };
bad('no filter') if !$filter;
my $attr = pack('Q3', HANDLED, 3, 3);
my $rules = call('landlock_create_ruleset', CREATE_RULESET, $attr, length $attr, 0);
sub allow {
  my ($fd, $rights, $what) = @_;
  my $rule = pack('Ql', $rights, $fd);
  syscall(ADD_RULE, $rules, 1, $rule, 0) == 0 or bad("$what cannot be allowed: $!");
}
while (my ($rights, $at) = splice @rules, 0, 2) {
  sysopen my $to, $at, 010000000 or bad("$at cannot be reached: $!");
  allow(fileno $to, -d $to ? $rights + 0 : $rights & FOR_FILES, $at);
}
for (1, 2) { allow($_, WRITABLE, "descriptor $_") if -p (($_ == 1) ? *STDOUT : *STDERR) }
if ($user) {
  call('securebits', PRCTL, 28, 4, 0, 0, 0);
  for my $cap (0 .. 63) { $cap == 1 or syscall(PRCTL, 24, $cap, 0, 0, 0) == 0 or $!{EINVAL} or bad("capabilities: $!") }
  call('setgroups', SETGROUPS, 0, 0);
  call('setresgid', SETRESGID, $user, $user, $user);
  call('setresuid', SETRESUID, $user, $user, $user);
  my ($head, $caps) = (pack('Ll', 0x20080522, 0), pack('L6', 2, 2, 2, 0, 0, 0));
  syscall(CAPSET, $head, $caps) == 0 or bad("capabilities: $!");
  call('capabilities', PRCTL, 47, 2, 1, 0, 0);
}
call('no_new_privs', PRCTL, 38, 1, 0, 0, 0);
call('landlock_restrict_self', RESTRICT_SELF, $rules, 0);
my $program = pack('Sx6P', length($filter) / 8, $filter);
syscall(PRCTL, 22, 2, $program, 0, 0) == 0 or bad("seccomp: $!");
exec { $ARGV[0] } @ARGV;
bad("$ARGV[0]: $!");
`

/** A path of this machine that a command may access, and how. */
export interface Rule { path: string, may: keyof typeof RIGHTS }

/** How a command is confined. */
export interface LandlockOptions {
  /** absolute path */
  perl: string
  arch: Arch
  /** the user that root changes to; null: we are not root */
  user: number | null
  /** path of the command's stdin */
  stdin: string
  rules: readonly Rule[]
  /** the command line */
  command: readonly string[]
}

/** The command line of the script. Its descriptor 3 is the filter of system calls. */
export function landlockCommand ({ perl, arch, user, stdin, rules, command }: LandlockOptions): string[] {
  const script = perlScript(SCRIPT, arch, { HANDLED, FOR_FILES, NEEDED, WRITABLE: RIGHTS.device })
  return [
    perl,
    '-f',
    '-e',
    script,
    String(user ?? 0),
    stdin,
    String(rules.length),
    ...rules.flatMap(({ path, may }) => [String(RIGHTS[may]), path]),
    ...command
  ]
}
