// Runs of the paper's experiment: a pool of peers, each a process, and what one run of theirs comes to.
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { idealRounds } from './expected.ts'
import { clock } from './paper-orders.ts'
import type { Answer, Item, Order } from './paper-orders.ts'

/** What is run: `pieces` of `bytes`, each of which takes `seconds`. */
export interface Cell {
  peers: number
  pieces: number
  seconds: number
  bytes: number
  /** as clients do by default; the paper's experiment is without */
  utp?: boolean
}

/** What came of one run; times in seconds after the common start. */
export interface Run extends Cell {
  /** the first work item was running */
  began: number
  /** the last piece was computed */
  computed: number
  /** the first peer had everything, and the last */
  first: number
  last: number
  /** work items: started, ended with a result, killed */
  started: number
  finished: number
  aborted: number
  /** seconds of computing in all, and those that gave no new piece */
  computing: number
  wasted: number
}

type Report = NonNullable<Answer['report']>

/** Processes that wait for orders. */
export class Peers {
  readonly #children: ChildProcess[] = []

  /** Starts what is missing of so many. */
  ensure (count: number): void {
    while (this.#children.length < count) {
      // a session each: the kernel shares the processors out among sessions, and each peer stands for a machine
      this.#children.push(
        fork(join(import.meta.dirname, 'paper-peer.ts'), {
          stdio: ['ignore', 'ignore', 'inherit', 'ipc'], detached: true
        })
      )
    }
  }

  /** One run of the first `cell.peers` processes, in folders that are removed. */
  async run (cell: Cell): Promise<Run> {
    this.ensure(cell.peers)
    const children = this.#children.slice(0, cell.peers)
    const folder = await mkdtemp(join(tmpdir(), 'bitworker-paper-'))
    try {
      const added = await tellAll(children, i => ({ order: 'add', ...cell, path: join(folder, String(i)) }))
      const ports = added.map(({ port }) => port!)
      await tellAll(children, i => ({ order: 'connect', ports: ports.slice(0, i), peers: cell.peers }))
      const start = clock()
      const reports = (await tellAll(children, () => ({ order: 'compute' }))).map(({ report }) => report!)
      const digests = new Set((await tellAll(children, () => ({ order: 'check' }))).map(({ sha256 }) => sha256))
      if (digests.size !== 1) throw new Error('the peers have different files')
      await tellAll(children, () => ({ order: 'leave' }))
      return summarize(cell, start, reports)
    } finally {
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    }
  }

  close (): void {
    for (const child of this.#children) child.kill()
  }
}

async function tellAll (children: ChildProcess[], order: (index: number) => Order): Promise<Answer[]> {
  return Promise.all(children.map((child, index) => tell(child, order(index))))
}

async function tell (child: ChildProcess, order: Order): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const onExit = (): void => { reject(new Error('a peer ended')) }
    child.once('exit', onExit)
    child.once('message', answer => {
      child.off('exit', onExit)
      resolve(answer as Answer)
    })
    child.send(order)
  })
}

function summarize (cell: Cell, start: number, reports: Report[]): Run {
  const { peers, pieces, seconds, bytes } = cell
  const items = reports.flatMap(report => report.items).sort((a, b) => a.endMs - b.endMs)
  const dones = reports.map(({ doneMs }) => doneMs)
  const firsts = new Map<number, Item>()
  for (const item of items) if (item.result && !firsts.has(item.piece)) firsts.set(item.piece, item)
  const computing = sum(items.map(length))
  const since = (ms: number): number => Math.round(ms - start) / 1000
  return {
    peers,
    pieces,
    seconds,
    bytes,
    began: since(Math.min(...items.map(({ startMs }) => startMs))),
    computed: since(Math.max(...[...firsts.values()].map(({ endMs }) => endMs))),
    first: since(Math.min(...dones)),
    last: since(Math.max(...dones)),
    started: items.length,
    finished: items.filter(({ result }) => result).length,
    aborted: sum(reports.map(report => report.aborted)),
    computing: Math.round(computing) / 1000,
    wasted: Math.round(computing - sum([...firsts.values()].map(length))) / 1000
  }
}

function length ({ startMs, endMs }: Item): number { return endMs - startMs }

function sum (values: number[]): number { return values.reduce((a, b) => a + b, 0) }

/** The ideal time of a cell in seconds. */
export function idealSeconds ({ peers, pieces, seconds }: Cell): number {
  return idealRounds(pieces, peers) * seconds
}
