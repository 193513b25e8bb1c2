/**
 * What commands try in order to get out of the sandbox. Nothing of any of them is left running, and the client goes on.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import path from 'node:path'
import process from 'node:process'
import test from 'tape'
import type { Test } from 'tape'
import type { Order } from '../fixtures/confined.ts'
import { USERS, startConfined } from './confined.ts'
import type { Confined, Outcome } from './confined.ts'
import { cleanUp, createFolder, until } from './disk.ts'

export const MIB = 1024 ** 2

interface Escape extends Order {
  name: string
  /** what must be so afterwards, beside what holds for all */
  check: (t: Test, outcome: Outcome) => void
  /** only in these tiers; default: in all */
  only?: 'bwrap' | 'landlock'
}

/** It must say so itself: a command that ends badly, or not at all, proves nothing. */
export const contained = (t: Test, { code, stdout, message, stderr }: Outcome): void => {
  t.equal(code, null, `it came to its end: ${message} ${stderr}`)
  t.equal(stdout.trim().split('\n').at(-1), 'contained', stdout)
}
const endedBy =
  (...codes: string[]) =>
    (t: Test, { code, message }: Outcome): void => {
      t.ok(codes.includes(String(code)), `${code}: ${message}`)
    }

/** In bash: each must fail. */
export const allFail = (...commands: string[]): string =>
  `${commands.map(command => `if (${command}) >/dev/null 2>&1; then echo ${JSON.stringify(`escaped: ${command.replaceAll(/[$`"\\]/g, '')}`)}; fi`).join('\n')}\necho contained`

/** Its own limit of data, or that of all its processes together, whichever is met first. */
const memoryBounded = (t: Test, outcome: Outcome): void => {
  if (outcome.code === 'BW_ERR_COMMAND_MEMORY') t.doesNotMatch(outcome.stdout, /escaped/, outcome.message)
  else contained(t, outcome)
}

const noSecret = (t: Test, outcome: Outcome): void => {
  t.doesNotMatch(outcome.stdout + outcome.stderr, /the-secret/, 'no secret')
  t.match(outcome.stdout, /contained\n$/, 'it came to its end')
}

const perl = (code: string): string => `perl -e '${code} or die'`

// where files can be there but not be opened; numbers are those of x64
const capabilities =
  '$h = pack("Ll", 0x20080522, 0); $d = "\\0" x 24; syscall(125, $h, $d) == 0 or die; print join " ", unpack("L3", $d), syscall(157, 39, 0, 0, 0, 0), syscall(157, 21, 0, 0, 0, 0)'
const reach = (folder: string): string[] => [
  `ls ${folder}`,
  `cat ${folder}/evil.sh`,
  `chmod 777 ${folder}/secret; [ $(stat -c %a ${folder}/secret) = 777 ]`,
  `chmod 777 ${folder}; [ $(stat -c %a ${folder}) = 777 ]`,
  'touch made; chmod 711 made; [ -x made ]',
  `touch -d 2001-01-01 ${folder}/secret`,
  `touch ${folder}/new`,
  `truncate -s 0 ${folder}/secret`,
  `rm ${folder}/secret`,
  `mv ${folder}/secret .`,
  `mv made ${folder}`,
  `ln ${folder}/secret x`,
  `mkfifo ${folder}/pipe`,
  `mkdir ${folder}/d`,
  `ln -s ${folder}/secret x && cat x`,
  'cd / && cat */passwd',
  perl(`chown(12345,12345,"${folder}/secret")`),
  perl(`utime(1,1,"${folder}/secret")`),
  perl(`syscall(188,"${folder}/secret","user.x","y",1,0)==0`),
  perl('open(F,"<","/usr/bin/env") && syscall(190,fileno(F),"user.x","y",1,0)==0'),
  perl(`($i=syscall(253))>=0 && syscall(254,$i,"${folder}",2)>=0`)
]
const others = [
  `kill -0 ${process.pid}`,
  'kill -0 $PPID',
  'kill -STOP $PPID',
  'renice -n 19 $PPID',
  'renice -n 19 -u $(id -u)',
  'prlimit --pid $PPID --nofile=10',
  'taskset -p 1 $PPID',
  'chrt -o -p 0 $PPID',
  'setsid true',
  'cat /proc/$PPID/environ',
  'cat /proc/$PPID/cmdline',
  'readlink /proc/$PPID/fd/251',
  'cat /proc/$PPID/maps',
  perl('syscall(310,getppid,0,0,0,0,0)>=0'),
  perl('socketpair(A,B,1,2,0)'),
  perl('socketpair(A,B,1,5,0)'),
  perl('socket(S,1,1,0)'),
  perl('socket(S,2,2,0)'),
  perl('socket(S,10,1,0)'),
  perl('syscall(30,0,0,4096)!=-1'),
  perl('syscall(68,1,01600)>=0'),
  perl('syscall(64,1,1,01600)>=0'),
  perl('$n="x"; syscall(240,$n,0102,0600,0)>=0')
]

interface Targets { folder: string, tcp: number, udp: number, unix: string, abstract: string }

function escapes ({ folder, tcp, udp, unix, abstract }: Targets): Escape[] {
  return [
    { name: 'reads the home directory', command: `cat ${folder}/secret ~root/.bashrc /home/*/* /root/* /etc/passwd /etc/shadow ../*; ls /; echo contained`, check: noSecret },
    { name: "reads other processes' environment", command: 'cat /proc/*/environ /proc/*/cmdline | tr "\\0" "\\n"; env; echo contained', check: noSecret },
    { name: 'sees other processes', command: 'set -- /proc/[0-9]*; (($# < 10)) && echo contained', check: contained },
    { name: 'signals other processes', command: `kill -9 ${process.pid} ${process.ppid}; echo contained`, check: contained },
    { name: 'writes to /proc/sys and its like', command: allFail('echo x > /proc/sys/kernel/core_pattern', 'echo x > /proc/sys/vm/drop_caches', 'echo b > /proc/sysrq-trigger', 'echo 0 > /proc/1/oom_score_adj', 'mount -o remount,rw /proc/sys'), check: contained },
    { name: 'writes to the system', command: allFail('echo > /x', 'echo > /usr/x', 'echo > /usr/bin/x', 'echo > /dev/x', 'echo > /etc/x', 'mkdir /home', 'rm /usr/bin/env', 'mknod sda b 8 0'), check: contained },
    { name: 'connects by TCP', command: allFail(`exec 3<>/dev/tcp/127.0.0.1/${tcp}`, 'exec 3<>/dev/tcp/1.1.1.1/80', 'exec 3<>/dev/tcp/169.254.169.254/80'), check: contained },
    { name: 'sends by UDP', command: `for i in 1 2 3; do echo x > /dev/udp/127.0.0.1/${udp}; done 2>/dev/null; echo contained`, check: contained },
    { name: 'connects by unix sockets', command: allFail(perl(`socket(S,1,1,0) && connect(S,pack("S a*",1,"${unix}"))`), perl(`socket(S,1,1,0) && connect(S,pack("S a*",1,"\\0${abstract}"))`)), check: contained },
    { name: 'opens vsock, netlink, packet and raw sockets', command: allFail(perl('socket(S,40,1,0)'), perl('socket(S,16,3,0)'), perl('socket(S,17,3,0)'), perl('socket(S,2,3,1)')), check: contained },
    { name: 'makes namespaces, mounts, traces', command: allFail('unshare -U true', 'unshare -m true', 'mount -t tmpfs none /tmp', 'umount /proc/sys', 'chroot /', perl('syscall(101,16,1,0,0)==0')), check: contained },
    { name: 'gets LD_PRELOAD and BASH_ENV', command: 'env; bash -c true; echo contained', check: noSecret },
    { name: 'uses inherited descriptors', command: 'cat <&251; cat /proc/*/fd/251; for p in self 1; do for f in /proc/$p/fd/*; do readlink $f; done; done | grep secret; echo contained', check: noSecret },
    { name: 'has only its own descriptors', only: 'landlock', command: 'for f in {0..999}; do (: <&$f) 2>/dev/null && echo $f; done; true', check: (t, { stdout }) => { t.equal(stdout, '0\n1\n2\n') } },
    { name: 'has only its own descriptors', only: 'bwrap', command: 'for f in /proc/$$/fd/*; do [ -e $f ] && echo ${f##*/}; done; true', check: (t, { stdout }) => { t.equal(stdout, '0\n1\n2\n') } },
    { name: 'has no capability but one', only: 'landlock', command: `perl -e '${capabilities}'`, check: (t, { stdout }) => { t.match(stdout, process.getuid?.() === 0 ? /^([02]) \1 \1 1 2$/ : /^0 0 0 1 2$/) } },
    { name: 'reaches for files that are there', only: 'landlock', command: allFail(...reach(folder)), check: contained },
    { name: 'reaches for other processes', only: 'landlock', command: allFail(...others), check: contained },
    { name: 'fills its folder', only: 'landlock', command: 'for i in {1..100}; do head -c 4M /dev/zero > $i; done; sleep 1000', limits: { scratchBytes: 16 * MIB }, check: endedBy('BW_ERR_COMMAND_DISK') },
    { name: 'makes very many files', only: 'landlock', command: 'for i in {1..2000}; do : > $i; done; sleep 1000', check: endedBy('BW_ERR_COMMAND_DISK') },
    { name: 'does what programs do', only: 'landlock', command: 'set -e; cat <(echo a) - <<< b >/dev/stdout; echo c > f; touch f; mkdir d; mv f d; sort d/f | sed s/c/d/; mktemp >/dev/null; perl -e \'socketpair(A,B,1,1,0) && syscall(21,$ENV{TMPDIR},7)==0 or die\'; timeout 9 env -i /bin/true; echo contained', check: contained },
    { name: 'has no capabilities, and cannot get any', only: 'bwrap', command: 'grep -E "^(Cap(Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp):" /proc/self/status | tr -d "\\t\\n"; echo', check: (t, { stdout }) => { t.match(stdout, /^CapPrm:0+CapEff:0+CapBnd:0+CapAmb:0+NoNewPrivs:1Seccomp:2$/m) } },
    { name: 'is a fork bomb', command: ':(){ :|:& };:; while :; do sleep 1; done', limits: { timeoutMs: 1500 }, check: endedBy('BW_ERR_COMMAND_TIMEOUT', 'BW_ERR_COMMAND_EXIT') },
    { name: 'has no more processes than it may', only: 'bwrap', command: 'n=0; for i in {1..60}; do sleep 1000 & ((++n)); done 2>/dev/null; jobs -r | wc -l >&2; echo contained', limits: { processes: 32 }, check: (t, { code, stderr }) => { t.ok(code !== null || Number(stderr.split('\n').at(-1)) <= 32, `${code} ${stderr}`) } },
    { name: 'is a memory bomb', command: allFail('perl -e \'$x = "a" x 300_000_000; print length $x\'', 'head -c 300M /dev/zero | tail -c 300M'), limits: { memoryBytes: 128 * MIB }, check: memoryBounded },
    { name: 'is a memory bomb of many', command: 'for i in {1..20}; do perl -e \'$x = "a" x 20_000_000; sleep 1000\' & done; wait; echo escaped', limits: { memoryBytes: 200 * MIB, timeoutMs: 20_000 }, check: endedBy('BW_ERR_COMMAND_MEMORY') },
    { name: 'takes memory that nothing counts', command: allFail(perl('syscall(319,"x",0)>=0'), perl('shmget(0,1<<30,01600)')), check: contained },
    { name: 'is a disk bomb', command: allFail('head -c 40M /dev/zero > big', 'head -c 40M /dev/zero > /tmp/big', 'head -c 80M /dev/zero > /dev/shm/big', 'truncate -s 1T sparse'), limits: { scratchBytes: 16 * MIB }, check: contained },
    { name: 'takes over the first process', only: 'bwrap', command: allFail('[ -e /proc/1/mem ]', 'exec 3<>/proc/1/mem', 'cat /proc/1/environ', 'readlink /proc/1/exe', 'ls /proc/1/fd/*', 'ls /proc/1/task', ': > /proc/1/x', 'exec 3<>/proc/self/mem', perl('syscall(101,16,1,0,0)==0'), perl('syscall(310,1,0,0,0,0,0)>=0'), perl('($p=syscall(434,1,0))>=0 && syscall(438,$p,0,0)>=0')), check: contained },
    { name: 'has others ended in its place', command: allFail('echo 0 > /proc/self/oom_score_adj', 'echo -1 > /proc/$$/oom_score_adj', 'echo 0 > /proc/self/oom_adj', 'choom -n 0 -p $$', 'echo 0 > /proc/self/autogroup'), check: contained },
    { name: 'takes what the machine has few of', command: allFail(perl('$c = pack("Q", 0); syscall(206, 10, $c)==0'), perl('syscall(253)>=0'), perl('syscall(294,0)>=0'), perl('$n="x"; syscall(240,$n,0102,0600,0)>=0'), perl('open(F,">","f") && open(G,"<","f") && close(F) && fcntl(G,1024,0)'), perl('open(F,"<",".") && fcntl(F,1026,2)')), check: contained },
    { name: 'changes flags of files, and takes room that no size shows', command: allFail(perl('open(F,">","g") && ioctl(F,0x40086602,pack("L",0x40))'), perl('open(F,"<","/usr/bin/env") && ioctl(F,0x40086602,pack("L",0x40))'), perl('open(F,">","k") && syscall(285,fileno(F),1,0,1<<20)==0'), perl('open(F,">","k") && syscall(285,fileno(F),0x11,0,1<<20)==0')), check: contained },
    { name: 'lists mounts', command: allFail(...[457, 458].map(nr => perl(`$r=pack("LLQQ",24,0,${nr === 458 ? '~0' : '1'},7); $b="\\0"x8000; $!=0; syscall(${nr},$r,$b,${nr === 458 ? 100 : 8000},0)>=0`))), check: contained },
    { name: 'takes names of sockets', only: 'landlock', command: allFail(perl('socketpair(A,B,1,1,0) && bind(A,pack("S a*",1,"\\0bitworker-taken"))'), perl('socketpair(A,B,1,1,0) && listen(A,1)'), perl('socketpair(A,B,1,1,0) && (connect(A,pack("S a*",1,"\\0x")), $!{EPERM} ? 0 : 1)')), check: contained },
    { name: 'has an endless output', command: 'yes', check: endedBy('BW_ERR_COMMAND_OUTPUT') },
    { name: 'takes room on a disk by its output', command: allFail('truncate -s 1T /dev/stdout', 'truncate -s 1T /dev/stderr', 'fallocate -n -l 1M /dev/stdout', 'fallocate -n -l 1M /dev/stderr'), check: contained },
    { name: 'has endless errors', command: 'yes >&2', limits: { timeoutMs: 500 }, check: endedBy('BW_ERR_COMMAND_TIMEOUT') },
    { name: 'leaves a daemon', command: 'setsid sleep 1000 >&- & (setsid bash -c "trap \'\' HUP TERM; sleep 1000; :" >&- &) ; setsid -f sleep 1000 >&-; echo contained', check: contained },
    { name: 'stops itself', command: 'kill -STOP $$; echo', limits: { timeoutMs: 500 }, check: endedBy('BW_ERR_COMMAND_TIMEOUT') },
    { name: 'ignores TERM', command: 'trap "" TERM INT HUP QUIT; sleep 1000 & sleep 1000; sleep 1000', limits: { timeoutMs: 500 }, check: endedBy('BW_ERR_COMMAND_TIMEOUT') },
    { name: 'computes for ever', command: 'while :; do :; done', limits: { cpuMs: 1000, timeoutMs: 600_000 }, check: (t, { code, message }) => { t.match(`${code} ${message}`, /SIGNAL.*SIGXCPU/) } },
    { name: 'kills everything it can', command: 'kill -9 -1; sleep 1000', limits: { timeoutMs: 1500 }, check: endedBy('BW_ERR_COMMAND_SIGNAL', 'BW_ERR_COMMAND_EXIT', 'BW_ERR_COMMAND_TIMEOUT') },
    { name: 'raises its limits', command: allFail('ulimit -n 10000', 'ulimit -d unlimited', 'ulimit -u unlimited', 'ulimit -f unlimited', 'ulimit -c unlimited', 'ulimit -t unlimited', 'renice -n 0 $$', 'ionice -c 2 -n 0 -p $$'), check: contained }
  ]
}

/** What commands are to reach for, each counting how often it was. */
async function targets (t: Test, folder: string): Promise<Targets & { reached (): number }> {
  let reached = 0
  const listen = async (where: object): Promise<Server> => {
    const server = createServer(() => { reached++ }).listen(where)
    cleanUp(t, () => new Promise(resolve => { server.close(resolve) }))
    await once(server, 'listening')
    return server
  }
  const udp = createSocket('udp4', () => { reached++ }).bind(0, '127.0.0.1')
  cleanUp(t, () => new Promise<void>(resolve => { udp.close(resolve) }))
  await once(udp, 'listening')
  const unix = path.join(createFolder(t), 'socket')
  const abstract = `bitworker-test-${process.pid}-${performance.now()}`
  await Promise.all([listen({ path: unix }), listen({ path: `\0${abstract}` })])
  const tcp = await listen({ port: 0, host: '127.0.0.1' })
  return {
    folder, tcp: (tcp.address() as AddressInfo).port, udp: udp.address().port, unix, abstract, reached: () => reached
  }
}

/** Where the kernel is too old for Landlock, it must say so. */
export async function startLandlock (t: Test, uid: number): Promise<Confined | null> {
  const client = await startConfined(t, uid, 'landlock')
  if (client.tier === 'landlock') return client
  t.match(
    client.problems.join('; '),
    /^landlock does not work here .*Linux 6\.12|seccomp profile/,
    'there is none, and it is said why'
  )
  return null
}

/** All that commands try there, as each user. */
export function testEscapes (kind: 'bwrap' | 'landlock', { nested = false } = {}): void {
  for (const { name: user, uid } of USERS) {
    test(`as ${user}: what commands try in ${nested ? 'a nest' : kind}`, async t => {
      const client = kind === 'bwrap' ? await startConfined(t, uid) : await startLandlock(t, uid)
      if (client === null) return
      t.ok(client.tier.startsWith(kind), `there is a sandbox: ${client.problems.join('; ')}`)
      const found = await targets(t, client.folder)
      for (const { name, check, only, ...order } of escapes(found)) {
        if (only !== undefined && only !== kind) continue
        t.comment(`a command that ${name}`)
        check(t, await client.run({ ...order, nested }))
        await until(`nothing is left of a command that ${name}`, () => client.survivors().length === 0)
        const { code, stdout } = await client.run({ command: 'echo fine' })
        t.deepEqual([code, stdout], [null, 'fine\n'], 'the client goes on')
      }
      t.equal(found.reached(), 0, 'nothing was reached outside')
    })
  }
}
