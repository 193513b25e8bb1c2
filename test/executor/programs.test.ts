// The same programs work in every sandbox: what a task can do at one volunteer, it can do at another.
import { mkdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import test from 'tape'
import type { CommandError } from '../../lib/base/errors.ts'
import { BashExecutor } from '../../lib/executor/bash-executor.ts'
import { detectSandbox } from '../../lib/executor/sandbox/detect.ts'
import { findProgram } from '../../lib/executor/sandbox/host.ts'
import { cleanUp, createFolder } from '../helpers/disk.ts'

/** What is run, and what it prints. Where a program is not on this machine, install its package. */
const PROGRAMS: Array<[program: string, debian: string, command: string, prints: RegExp]> = [
  ['awk', 'mawk', 'echo 1 2 | awk \'{print $1 + $2}\'', /^3$/],
  ['bc', 'bc', 'echo "2^100" | bc', /^1267650600228229401496703205376$/],
  ['bzip2', 'bzip2', 'echo x | bzip2 | bunzip2', /^x$/],
  ['convert', 'imagemagick', 'convert -size 20x20 xc:red -fill white -draw "circle 9,9 9,3" x.png; identify -format "%wx%h %m" x.png', /^20x20 PNG$/],
  ['curl', 'curl', 'echo x > f; curl -s "file://$PWD/f"; curl --version | head -c 4', /^x\ncurl$/],
  ['fc-list', 'fontconfig', 'fc-list | grep -c . > n; [ "$(cat n)" -gt 0 ] && fc-match sans >/dev/null && echo fonts', /^fonts$/],
  ['ffmpeg', 'ffmpeg', 'ffmpeg -loglevel error -f lavfi -i testsrc=d=0.2:s=32x32 -f rawvideo -pix_fmt gray - | wc -c', /^5120$/],
  ['file', 'file', 'echo "#!/bin/sh" > s; file -b s', /^POSIX shell script/],
  ['gawk', 'gawk', 'gawk \'BEGIN { print strftime("%Z", 0), toupper("a") }\'', /^UTC A$/],
  ['gcc', 'gcc', 'echo "int main(void) { return 0; }" > a.c; gcc -O1 -c a.c && gcc -o a a.o && file -b a | cut -c 1-3', /^ELF$/],
  ['git', 'git', 'git init -q g && cd g && echo x > f && git add f && git -c user.name=a -c user.email=a@b commit -qm one && git log --format=%s', /^one$/],
  ['gs', 'ghostscript', 'gs -q -dNODISPLAY -dBATCH -c "1 2 add =" -c quit', /^3$/],
  ['java', 'default-jre-headless', 'java -XshowSettings:properties -version 2>&1 | grep -c "java.version ="; ls -L $(dirname $(dirname $(readlink -f $(command -v java))))/conf/security/java.security >/dev/null && echo conf', /^1\nconf$/],
  ['jq', 'jq', 'echo \'{"a": [1, 2]}\' | jq -c .a', /^\[1,2\]$/],
  ['lua5.4', 'lua5.4', 'lua5.4 -e "print(2^10)"', /^1024\.0$/],
  ['make', 'make', 'printf "a:\\n\\t@echo made\\n" | make -f -', /^made$/],
  ['md5sum', 'coreutils', 'echo -n | md5sum | cut -c 1-8', /^d41d8cd9$/],
  ['node', 'nodejs', 'PATH=/usr/bin node -e "console.log(6 * 7)"', /^42$/],
  ['openssl', 'openssl', 'openssl verify -CAfile /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt | grep -o OK$; openssl genrsa 512 2>/dev/null | head -c 10', /^OK\n-----BEGIN$/],
  ['perl', 'perl', 'perl -MList::Util=sum -MPOSIX=floor -e "print sum(1..4), floor(1.5)"', /^101$/],
  ['php', 'php-cli', 'php -r "echo json_encode([1]), extension_loaded(\'posix\') ? \' posix\' : \'\';"', /^\[1\] posix$/],
  ['python3', 'python3', 'python3 -c "import ssl, mimetypes, subprocess as s; print(ssl.create_default_context().cert_store_stats()[\'x509\'] > 10, mimetypes.guess_type(\'x.pdf\')[0], s.check_output([\'echo\', \'1\']))"', /^True application\/pdf b'1\\n'$/],
  ['ruby', 'ruby', 'ruby -rjson -e "puts [1].to_json, 2**64"', /^\[1\]\n18446744073709551616$/],
  ['sed', 'sed', 'echo abc | sed s/b/x/', /^axc$/],
  ['sort', 'coreutils', 'seq 20000 | sort --parallel=2 -S 100K -n -r | head -1', /^20000$/],
  ['sqlite3', 'sqlite3', 'sqlite3 d.db "create table t (a); insert into t values (7); select a * 6 from t"', /^42$/],
  ['tar', 'tar', 'mkdir d; echo x > d/f; tar czf t.tgz d; rm -r d; tar xzf t.tgz --no-same-permissions --touch 2>/dev/null || tar xzf t.tgz -O; cat d/f', /x$/],
  ['tclsh', 'tcl', 'echo "puts [expr {6 * 7}]" | tclsh', /^42$/],
  ['xz', 'xz-utils', 'seq 1000 | xz | xz -d | tail -1', /^1000$/],
  ['zip', 'zip', 'echo x > f; zip -q z.zip f; unzip -p z.zip', /^x$/],
  ['unzip', 'unzip', 'unzip -v | head -c 5', /^UnZip$/],
  ['zstd', 'zstd', 'seq 1000 | zstd -q | zstd -dq | tail -1', /^1000$/]
]

const MACHINE =
  'cat /etc/timezone /etc/hostname /etc/machine-id /etc/shadow /etc/ssh/* /etc/ssl/private/* /etc/gitconfig /root/.bashrc 2>/dev/null | head -c 1; grep -c ^ /etc/passwd; date +%Z'

for (const choice of ['bwrap', 'landlock'] as const) {
  test(`programs of Debian in ${choice}`, async t => {
    const { sandbox, problems } = await detectSandbox(choice)
    if (sandbox === null) return t.fail(`there is no ${choice} here: ${problems.join('; ')}`)
    const folder = createFolder(t)
    const executor = new BashExecutor({ sandbox })
    cleanUp(t, () => executor.close())
    const run = async (name: string, command: string): Promise<string> => {
      const [cwd, stdout] = [path.join(folder, name), path.join(folder, `${name}.out`)]
      mkdirSync(cwd, { mode: 0o700 })
      const item = executor.run({ command, env: {}, cwd, stdout, maxOutputBytes: 100_000, timeoutMs: 120_000 })
      const said = await item.done.then(({ stderr }) => stderr, (err: CommandError) => `${err.message}\n${err.stderr}`)
      const printed = readFileSync(stdout, 'latin1').trim()
      return said === '' || printed !== '' ? printed : `(nothing; ${said})`
    }
    for (const [program, debian, command, prints] of PROGRAMS) {
      if (findProgram(program, '/usr/') === null) {
        t.fail(`${program} is not in /usr on this machine: apt-get install ${debian}`)
      } else {
        t.match(await run(program, command), prints, program)
      }
    }
    t.match(
      await run('machine', MACHINE),
      choice === 'bwrap' ? /^2\nUTC$/ : /^UTC$/,
      'nothing that is this machine’s own'
    )
  })
}
