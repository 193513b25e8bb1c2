/**
 * Makes sandboxes inside a sandbox. bwrap builds the outer one, which takes 6 ms of processor time. This small
 * supervisor inside it makes an inner one for each work item, one after the other, by a single clone(2) and a few
 * mounts. It is in Perl, which can make system calls. No command ever runs in a process with more rights than it would
 * have in bwrap's own sandbox. Pure.
 */
import type { Mount } from '../types.ts'
import { SHM_BYTES } from './bwrap-args.ts'
import { SCRATCH } from './scratch.ts'
import { perlScript } from './syscalls.ts'
import type { Arch } from './syscalls.ts'

/** The capabilities of the supervisor in the outer sandbox's user namespace, by number: 8, 12, 21. */
export const NEST_CAPABILITIES = ['CAP_SETPCAP', 'CAP_NET_ADMIN', 'CAP_SYS_ADMIN']

/** The folder of the outer sandbox that contains the mounts of the inner ones; these have their own /tmp over it. */
export const NEST_MOUNTS = '/tmp'

/**
 * Descriptors: 0: variables of the items; 1: answers ("r": an inner sandbox is ready; "x": it cannot be made; "s": it
 * has read an item's variables; a number: how it ended); 2: the items' stderr, which each item opens again, because
 * changes to an open file would affect the others; 3: the seccomp filter. Each inner sandbox is made ahead, and is
 * complete, with rights removed and filter installed, before it reads its item's variables. The supervisor never sees
 * them.
 *
 * The first process inside (`inner`) has the same user as the command. It is hidden, cannot be traced
 * (PR_SET_DUMPABLE), and has no capabilities. Its only descriptor is the reading end of the pipe for stdout, from which
 * it never reads. It waits for the command, as bwrap's does. If the command succeeded, it waits until no process has
 * the pipe open for writing, which poll reports as a hang-up. When it has ended, nothing of the item is left: the
 * kernel kills everything in a pid namespace before its first process is gone.
 */
const SCRIPT = String.raw`
use strict;
my ($parts, $first, $room, $shm, $count) = map { $_ + 0 } splice @ARGV, 0, 5;
my @binds = splice @ARGV, 0, 2 * $count;
open my $say, '>&', \*STDOUT or exit 1;
sub quit { syscall(EXIT_GROUP, $_[0]) }
sub bad { syswrite $say, "x\n"; quit(1) }
$SIG{__DIE__} = \&bad;
sub call { my ($n, @a) = @_; my $r = syscall($n, @a); bad() if $r < 0; $r }
sub code { $? & 127 ? 128 + ($? & 127) : $? >> 8 }
sub tmpfs { call(MOUNT, 'tmpfs', $_[0], 'tmpfs', 6, "mode=0755,size=$_[1]") }
sub folders { my $at = ''; for (split m{/}, $_[0]) { next if $_ eq ''; $at .= "/$_"; -d $at or mkdir $at, 0700 or bad() } }

sub show {
  my ($i, $kind, $at) = @_;
  folders($kind eq 'd' ? $at : $at =~ s{/[^/]*\z}{}r);
  if ($kind ne 'd') { open my $file, '>', $at or bad() }
  call(MOUNT, "${NEST_MOUNTS}/$i", $at, 'none', 4096 | 16384, 0);
}

sub inner {
  my ($part, $head, $filter) = @_;
  setpgrp(0, 0) or bad();
  socket(my $s, 2, 2, 0) or bad();
  my $up = pack 'a16sx22', 'lo', 0x41;
  ioctl($s, 0x8914, $up) or bad();
  call(MOUNT, 'proc', '/proc', 'proc', 14, 0);
  call(MOUNT, '/proc/sys', '/proc/sys', 'none', 4096, 0);
  call(MOUNT, 'none', '/proc/sys', 'none', 4096 | 32 | 15, 0);
  call(MOUNT, 'devpts', '/dev/pts', 'devpts', 10, 'newinstance,ptmxmode=0666,mode=620');
  tmpfs('/dev/shm', $shm);
  tmpfs('${SCRATCH}', $room);
  show($_, @binds[2 * $_, 2 * $_ + 1]) for 0 .. $count - 1;
  tmpfs('/tmp', $room);
  chdir '${SCRATCH}' or bad();
  open my $null, '<', '/dev/null' or bad();
  call(DUP3, $part, 1, 0);
  sysopen my $end, "/proc/self/fd/$part", 04000 or bad();
  open my $err, '>>', '/proc/self/fd/2' or bad();
  call(DUP3, fileno $err, 2, 0);
  call(MOUNT, 'tmpfs', '/proc/1', 'tmpfs', 15, 'mode=0755,size=4096');
  call(MOUNT, 'none', '/proc', 'none', 4096 | 32 | 15, 0);
  call(PRCTL, 38, 1, 0, 0, 0);
  call(CAPSET, $head, pack('L6', (0) x 6));
  call(PRCTL, 22, 2, pack('Sx6P', length($filter) / 8, $filter), 0, 0);
  syswrite $say, "r\n";
  my $job = '';
  while ($job !~ /(?:^|\0)\0\z/) { sysread(STDIN, $job, 65536, length $job) or quit(125) }
  syswrite $say, "s\n";
  call(DUP3, fileno $end, $part, 02000000);
  call(DUP3, fileno $null, 3, 02000000);
  call(DUP3, $part, 4, 02000000);
  call(CLOSE_RANGE, 5, 4294967295, 0);
  for (split /\0/, $job) { $ENV{$1} = $2 if /^([^=]*)=(.*)/s }
  syscall(DUP3, 3, 0, 0) == 0 or quit(125);
  my $pid = fork;
  quit(125) if !defined $pid;
  if (!$pid) { setpgrp(0, 0); exec { $ARGV[0] } @ARGV; quit(127) }
  syscall(CLOSE_RANGE, 1, 2, 0);
  while ((my $ended = wait) != $pid) { quit(125) if $ended < 0 }
  my $code = code();
  my $hangup = pack 'lss', 4, 0, 0;
  if (!$code) { 1 while syscall(PPOLL, $hangup, 1, 0, 0, 0) < 0 && $!{EINTR} }
  quit($code);
}

open my $file, '<&=', 3 or bad();
binmode $file;
my $filter = do { local $/; <$file> };
bad() if !$filter;
my $head = pack('Ll', 0x20080522, 0);
call(PRCTL, 4, 0, 0, 0, 0);
call(PRCTL, 24, $_, 0, 0, 0) for 8, 12, 21;
call(PRCTL, 47, 4, 0, 0, 0);
call(CAPSET, $head, pack('L6', 0x201100, 0x201100, 0, 0, 0, 0));
call(CLOSE_RANGE, 1 << 30, 1 << 30, 0);
chdir '/' or bad();
for my $part ($first .. $first + $parts - 1) {
  my $pid = call(CLONE, 0x6c020011, 0, 0, 0, 0);
  inner($part, $head, $filter) if !$pid;
  syscall(CLOSE, $part);
  waitpid $pid, 0;
  syswrite $say, code() . "\n";
}
`

/** Options of the supervisor. */
export interface NestOptions {
  /** absolute path of perl, also in the sandbox */
  perl: string
  arch: Arch
  /** the number of items, and the descriptors of their stdouts, from `firstPart` on */
  parts: number
  firstPart: number
  scratchBytes: number
  /** the inner places of NEST_MOUNTS/0, NEST_MOUNTS/1 … of the outer sandbox */
  mounts: ReadonlyArray<Pick<Mount, 'at'> & { isFolder: boolean }>
  /** the command line for each item */
  command: readonly string[]
}

/** The supervisor's command line, for the outer sandbox. */
export function nestCommand ({ perl, arch, parts, firstPart, scratchBytes, mounts, command }: NestOptions): string[] {
  const script = perlScript(SCRIPT, arch)
  const numbers = [parts, firstPart, scratchBytes, Math.min(SHM_BYTES, scratchBytes), mounts.length]
  return [
    perl,
    '-f',
    '-e',
    script,
    ...numbers.map(String),
    ...mounts.flatMap(({ at, isFolder }) => [isFolder ? 'd' : 'f', at]),
    ...command
  ]
}
