/**
 * The watchdog: a tiny shell that outlives a client killed with SIGKILL, just long enough to kill what the client ran.
 * It reads "+PGID" and "-PGID" lines from a pipe; the pipe's end, unless "." came before, means that the client is
 * gone.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'

/** Where it is not bash, it starts in half the time, and takes a third of the memory. */
const SH = '/bin/sh'

/** One that has lived for less is not replaced at once: that could go on for ever. */
const LIVES_MS = 100

/** @internal $1: the shell, $2: KILL, $3: the mark; lines: what is to be killed. For tests. */
export const WAIT = `
trap '' INT TERM HUP QUIT PIPE
groups=' '
while read -r line; do
  case $line in
    +*) groups="$groups\${line#+} " ;;
    -*) case $groups in *" \${line#-} "*) groups="\${groups%% \${line#-} *} \${groups#* \${line#-} }" ;; esac ;;
    .) exit ;;
  esac
done
[ "$groups" != ' ' ] || [ -n "$3" ] || exit 0
# at once, and even if there is no bash any more; dash knows no -- here
for g in $groups; do kill -KILL "-$g"; done
exec "$1" --noprofile --norc -c "$2" watchdog "$3" $groups
`

// What was started so late that nobody could tell us of it is found by its environment. Then comes the rest of each
// session (see session.ts), until nothing is left that could start more: after the last ')' of /proc/PID/stat come
// state, parent, group, session. A process whose first thread has ended (Z) lives as long as another does.
// bwrap dies with us, and its sandbox with bwrap, but for the few milliseconds in which it sets itself up:
// the last loop finds by its environment what was in there, and what that started meanwhile.
const KILL = `
mark=$1
shift
for g; do groups_[$g]=1; done
lives() {
  [ "$1" != Z ] && return
  for t in "$2"/task/*/stat; do
    read -r s < "$t" || continue
    set -- \${s##*) }
    [ "$1" != Z ] && [ "$1" != X ] && return
  done
  return 1
}
[ -n "$mark" ] && for f in $(grep -lsF -- "$mark" /proc/[0-9]*/environ); do
  read -r s < "\${f%environ}stat" || continue
  set -- \${s##*) }
  [ "\${4:-0}" -gt 1 ] && groups_[$4]=1
done
for i in {1..100}; do
  found=
  for f in /proc/[0-9]*/stat; do
    read -r s < "$f" || continue
    set -- \${s##*) }
    [ -n "\${4:-}" ] && [ -n "\${groups_[$4]:-}" ] && lives "$1" "\${f%/stat}" && f=\${f#/proc/} && found=yes && kill -KILL "\${f%/stat}"
  done
  [ -n "$found" ] || break
done
[ -n "$mark" ] && for i in {1..100}; do
  files=$(grep -lsF -- "$mark" /proc/[0-9]*/environ)
  [ -n "$files" ] || break
  for f in $files; do f=\${f#/proc/}; kill -KILL "\${f%/environ}"; done
done
`

/** Keeps one watchdog process for an executor; started with the first group, started again if someone kills it. */
export class Watchdog {
  readonly #shell: string
  readonly #mark: string
  readonly #groups = new Set<number>()
  #child: ChildProcess | null = null
  #startedAt = 0
  #isClosed = false

  /** @param mark stands in the environment of what is to be found wherever it is; default: nothing is */
  constructor (shell: string, mark = '') {
    this.#shell = shell
    this.#mark = mark
  }

  /** undefined while there is none */
  get pid (): number | undefined { return this.#child?.pid }

  /**
   * Starts the watchdog if there is none; done before a command is spawned, so that it is watched from its first
   * moment.
   */
  ensure (): void {
    if (this.#child === null) this.#start()
  }

  /** From now on the group dies with this process. */
  watch (pgid: number): void {
    this.ensure()
    this.#groups.add(pgid)
    this.#send(`+${pgid}\n`)
  }

  /** The group is gone: its number may soon belong to someone else. */
  forget (pgid: number): void {
    if (this.#groups.delete(pgid)) this.#send(`-${pgid}\n`)
  }

  /** Nothing runs any more. Resolves when the watchdog process is gone. */
  async close (): Promise<void> {
    this.#isClosed = true
    const child = this.#child
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    child.ref()
    const exit = once(child, 'exit')
    child.stdin?.end('.\n')
    await exit
  }

  #start (): void {
    const child: ChildProcess = spawn(SH, ['-c', WAIT, 'watchdog', this.#shell, KILL, this.#mark], {
      detached: true, // a Ctrl-C at the terminal is not meant for it
      cwd: '/',
      env: {},
      stdio: ['pipe', 'ignore', 'ignore']
    })
    this.#child = child
    this.#startedAt = performance.now()
    child.on('error', () => this.#onGone(child))
    child.on('exit', () => this.#onGone(child))
    child.stdin?.on('error', () => {}) // EPIPE: 'exit' tells the same
    child.unref()
    // a pipe is a socket here, which its declared type hides
    const pipe = child.stdin as unknown as Socket | undefined
    pipe?.unref()
    for (const pgid of this.#groups) this.#send(`+${pgid}\n`)
  }

  #onGone (child: ChildProcess): void {
    if (this.#child !== child) return
    this.#child = null
    // somebody killed it while it was needed; one that does not live is tried again with the next command only
    if (this.#groups.size > 0 && !this.#isClosed && performance.now() - this.#startedAt > LIVES_MS) this.#start()
  }

  #send (line: string): void {
    if (this.#child?.stdin?.writable === true) this.#child.stdin.write(line)
  }
}
