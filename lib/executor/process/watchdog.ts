/**
 * The watchdog: a tiny shell that outlives a client killed by SIGKILL just long enough to kill what the client ran. It
 * reads the lines "+PGID" and "-PGID" from a pipe. If the pipe ends without a preceding ".", the client is gone.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'

/** If it is not bash, it starts in half the time and uses a third of the memory. */
const SH = '/bin/sh'

/** A watchdog that lived for less than this is not replaced at once: that could go on for ever. */
const LIVES_MS = 100

/** @internal $1: the shell, $2: KILL, $3: the mark; lines: the groups to kill. For tests. */
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

// Kills the groups first. Processes that were started so late that we could not be told of them are found by their
// environment. Then the rest of each session (see sessions.ts) is killed, until nothing is left that could start more:
// after the last ')' of /proc/PID/stat come state, parent, group, session. A process whose first thread has ended (Z)
// lives while another thread does. bwrap ends with us, and its sandbox with bwrap, except during the few milliseconds
// in which it sets itself up: the last loop finds by its environment what was in there, and what that has started
// since.
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

/**
 * Maintains one watchdog process for an executor: started with the first group, and started again if someone kills it.
 */
export class Watchdog {
  readonly #shell: string
  readonly #mark: string
  readonly #groups = new Set<number>()
  #child: ChildProcess | null = null
  #startedAt = 0
  #isClosed = false

  /** @param mark a text in the environment of processes that are to be found wherever they are; default: none */
  constructor (shell: string, mark = '') {
    this.#shell = shell
    this.#mark = mark
  }

  /** undefined if there is none */
  get pid (): number | undefined { return this.#child?.pid }

  /**
   * Starts the watchdog if there is none. To be called before a command is spawned, so that it is watched from its
   * first moment.
   */
  ensure (): void {
    if (this.#child === null) this.#start()
  }

  /** From now on, the group is killed if this process ends. */
  watch (pgid: number): void {
    this.ensure()
    this.#groups.add(pgid)
    this.#send(`+${pgid}\n`)
  }

  /** The group has ended: its number may soon be reused. */
  forget (pgid: number): void {
    if (this.#groups.delete(pgid)) this.#send(`-${pgid}\n`)
  }

  /** Nothing runs any more. Resolves when the watchdog process has ended. */
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
      detached: true, // a Ctrl-C at the terminal must not reach it
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
    // a pipe is a socket here, which its declared type does not show
    const pipe = child.stdin as unknown as Socket | undefined
    pipe?.unref()
    for (const pgid of this.#groups) this.#send(`+${pgid}\n`)
  }

  #onGone (child: ChildProcess): void {
    if (this.#child !== child) return
    this.#child = null
    // somebody killed it while it was needed; if it dies at once, it is restarted only with the next command
    if (this.#groups.size > 0 && !this.#isClosed && performance.now() - this.#startedAt > LIVES_MS) this.#start()
  }

  #send (line: string): void {
    if (this.#child?.stdin?.writable === true) this.#child.stdin.write(line)
  }
}
