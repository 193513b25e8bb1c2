/**
 * Spawns what a launcher made. Called by item.ts and nest.ts.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { setPriority } from 'node:os'
import type { Launch } from '../launch.ts'
import { signalGroup } from './sessions.ts'

/** The least that a process can be favoured: what is computed for others waits for everything else. */
const NICE = 19

/** From now on the process, and what it starts, waits for everything else. */
export function favourLeast (pid: number): void {
  try { setPriority(pid, NICE) } catch {} // it has ended already
}

/**
 * Starts a process, which leads a session and process group of its own: a kill reaches all of it.
 * @param onStart called with its pid before it may begin
 */
export function spawnLaunch (
  launch: Launch, stdout: number | 'pipe', stderr: number, onStart: (pid: number) => void
): ChildProcess {
  const { file, args, cwd, env, uid, gid, fds, stdin = 'ignore', stdoutFd = 1 } = launch
  const stdio: Array<number | 'pipe' | 'ignore'> = [stdin, 'ignore', stderr, ...fds]
  stdio[stdoutFd] = stdout
  const child = spawn(file, args, {
    cwd,
    env,
    ...(uid !== undefined && { uid }),
    ...(gid !== undefined && { gid }),
    detached: true,
    stdio
  })
  if (child.pid === undefined) return child
  try {
    onStart(child.pid)
    favourLeast(child.pid)
    launch.started?.(child)
    return child
  } catch (err) {
    signalGroup(child.pid, 'SIGKILL') // nobody is told of it
    throw err
  }
}
