/** A process under fire: what it says, whether it lives, where it listens, and how much memory it has. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import process from 'node:process'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../../lib/cli/main.ts', import.meta.url))
const METER = new URL('meter.ts', import.meta.url).href
/** For what takes milliseconds: a process that has not done it by then never will. */
const DEADLINE_MS = 60_000
/** Bytes of memory. */
export interface Memory {
  /** of the process, as the system has it */
  resident: number
  /** of its heap and beside it, after a garbage collection */
  kept: number
}

/** Bound sockets, by protocol. */
export interface Ports { udp: number[], tcp: number[] }

/** A child of ours. */
export class Child {
  readonly process: ChildProcess
  readonly name: string
  output = ''
  #isExpectedToEnd = false
  #problem: string | null = null

  /** @param args of node; a message of the child that it sends by IPC is the event 'message' of `process` */
  constructor (name: string, args: string[], cwd: string, hasIpc = false) {
    this.name = name
    this.process = spawn(process.execPath, ['--import', METER, ...args], {
      cwd,
      env: { PATH: process.env['PATH'], HOME: cwd, SHELL: '/bin/bash' },
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', ...(hasIpc ? ['ipc' as const] : [])]
    })
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream!.setEncoding('utf8').on('data', (text: string) => { this.output = (this.output + text).slice(-100_000) })
    }
    process.once('exit', () => { this.kill() })
    this.process.setMaxListeners(0).once('exit', (code, signal) => {
      if (!this.#isExpectedToEnd) {
        this.#problem ??= `${name} ended (${String(signal ?? code)}):\n${this.output.slice(-3_000)}`
      }
    })
  }

  /** `bitworker ARGS`. */
  static command (args: string[], cwd: string): Child { return new Child(`bitworker ${args[0]}`, [MAIN, ...args], cwd) }

  /** null while all is well. */
  get problem (): string | null { return this.#problem }

  /** Waits for what its output must have. */
  async said (pattern: RegExp): Promise<RegExpExecArray> {
    return this.within(new Promise(resolve => {
      const look = (): void => {
        const found = pattern.exec(this.output)
        if (found !== null) resolve(found)
        else this.process.stdout!.once('data', look)
      }
      look()
    }), String(pattern))
  }

  /** The promise; rejects if the process ends, or never does it. */
  async within<T> (promise: Promise<T>, what: string, ms = DEADLINE_MS): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    let onExit: (() => void) | undefined
    const failed = new Promise<never>((_resolve, reject) => {
      const fail = (): void => {
        reject(new Error(this.#problem ?? `${this.name}: no ${what} within ${ms} ms\n${this.output.slice(-3_000)}`))
      }
      timer = setTimeout(fail, ms)
      onExit = () => { setImmediate(fail) }
      this.process.once('exit', onExit)
      if (this.process.exitCode !== null) onExit()
    })
    return Promise.race([promise, failed]).finally(() => {
      clearTimeout(timer)
      this.process.off('exit', onExit!)
    })
  }

  /** Ports that it has bound. */
  get ports (): Ports {
    const folder = `/proc/${this.process.pid}`
    const inodes = new Set(readdirSync(`${folder}/fd`).flatMap(fd => {
      // closed meanwhile
      try { return /socket:\[(\d+)\]/.exec(readlinkSync(`${folder}/fd/${fd}`))?.[1] ?? [] } catch { return [] }
    }))
    const bound = (protocol: string, state: string): number[] => {
      const rows = ['', '6'].flatMap(version =>
        readFileSync(`${folder}/net/${protocol}${version}`, 'utf8').split('\n').slice(1)
      )
      const fields = rows
        .map(row => row.trim().split(/\s+/))
        .filter(([, , , is, , , , , , inode]) => is === state && inodes.has(inode!))
      return [...new Set(fields.map(([, local]) => Number.parseInt(local!.split(':')[1]!, 16)))]
    }
    return { udp: bound('udp', '07'), tcp: bound('tcp', '0A') }
  }

  /** How much memory it has. */
  async memory (): Promise<Memory> {
    const line = once(this.process.stdio[3] as Readable, 'data') as Promise<[Buffer]>
    this.process.kill('SIGUSR2')
    return JSON.parse(String((await this.within(line, 'figures of its memory'))[0])) as Memory
  }

  /** Sends SIGINT; resolves with the exit code. */
  async interrupt (): Promise<number | null> {
    this.#isExpectedToEnd = true
    const ended = once(this.process, 'exit') as Promise<[number | null]>
    this.process.kill('SIGINT')
    const timer = setTimeout(() => { this.process.kill('SIGKILL') }, DEADLINE_MS)
    const [code] = await ended
    clearTimeout(timer)
    return code
  }

  kill (): void {
    this.#isExpectedToEnd = true
    this.process.kill('SIGKILL')
  }
}
