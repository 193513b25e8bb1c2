/**
 * A coverage-guided fuzzer: inputs are mutated, and those that reach something new (by V8's own block coverage) are
 * kept and mutated further. Coverage is asked for once a batch, since asking costs more than most decoders do.
 */
import { Session } from 'node:inspector'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** A decoder of foreign bytes. */
export interface FuzzTarget {
  name: string
  /** throws or rejects if and only if something is wrong with the decoder */
  run: (input: Uint8Array) => void | Promise<void>
  /** lets what `run` left to later turns happen; called after each batch */
  settle?: () => Promise<void>
  /** files whose coverage guides */
  files: RegExp
  seeds: Uint8Array[]
  /** pieces of syntax that mutations insert */
  tokens: string[]
  /** batches between two looks at the coverage, which cost as much as all that is loaded; default: none, later 16 */
  looks?: number
}

/** How a run went. */
export interface FuzzReport {
  inputs: number
  /** inputs that reached something new, seeds included */
  corpus: Uint8Array[]
  points: number
  slowestMs: number
  /** of the heap, from a tenth of the run on */
  grownBytes: number
  /** what went wrong, with the input; null: nothing */
  problem: { what: string, input: Uint8Array } | null
}

/** A small generator, so that a run can be repeated from its seed; whole numbers below `n`. */
export function randomSource (seed: number): (n: number) => number {
  let state = seed | 0
  return n => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    return (state >>> 8) % n
  }
}

/** One input must not take longer. */
const MAX_INPUT_MS = 50
/** And all of them must not leave more behind. */
const MAX_GROWTH_BYTES = 16 << 20
const MAX_INPUT_BYTES = 2048
const BATCH = 64
/** Later on news are rare, and asking for them would take most of the time. */
const EAGER_INPUTS = 20_000
const LAZY_BATCHES = 16

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Runs `count` inputs through the target. Stops at the first problem. */
export async function fuzz (target: FuzzTarget, count: number, seed: number): Promise<FuzzReport> {
  const random = randomSource(seed)
  const coverage = new Coverage(target.files)
  const report: FuzzReport = { inputs: 0, corpus: [], points: 0, slowestMs: 0, grownBytes: 0, problem: null }
  const later = watchLater()
  let heapBefore = 0
  let batch = target.seeds
  while (report.problem === null && (batch === target.seeds || report.inputs < count)) {
    await runBatch(target, batch, report, later.problems)
    const looks = target.looks ?? (report.inputs < EAGER_INPUTS ? 1 : LAZY_BATCHES)
    const isLook = batch === target.seeds || Math.floor(report.inputs / BATCH) % looks === 0
    if (isLook && coverage.hasNews()) await keepNews(target, batch, coverage, report)
    await target.settle?.()
    batch = Array.from({ length: BATCH }, () => mutate(report.corpus, target.tokens, random))
    if (heapBefore === 0 && report.inputs >= count / 10) heapBefore = heapBytes()
  }
  report.grownBytes = Math.max(0, heapBytes() - heapBefore)
  if (report.grownBytes > MAX_GROWTH_BYTES) {
    report.problem ??= { what: `the heap grew by ${report.grownBytes} bytes`, input: new Uint8Array() }
  }
  report.points = coverage.points
  coverage.end()
  later.end()
  return report
}

async function runBatch (target: FuzzTarget, batch: Uint8Array[], report: FuzzReport, later: unknown[]): Promise<void> {
  for (const input of batch) {
    report.inputs++
    const what = await runOne(target, input, report)
    if (what !== null) report.problem = { what, input }
    if (report.problem !== null) return
  }
  if (target.settle === undefined) return
  await target.settle()
  if (later.length > 0) report.problem = { what: `a later turn: ${describe(later[0])}`, input: Buffer.concat(batch) }
}

async function runOne (target: FuzzTarget, input: Uint8Array, report: FuzzReport): Promise<string | null> {
  try {
    const ms = await timed(target, input)
    report.slowestMs = Math.max(report.slowestMs, ms)
    return ms > MAX_INPUT_MS ? `took ${Math.round(ms)} ms` : null
  } catch (err) {
    return describe(err)
  }
}

/** Turns for nothing would cost more than most decoders. */
async function runOnce (target: FuzzTarget, input: Uint8Array): Promise<void> {
  const later = target.run(input)
  if (later !== undefined) await later
}

/** Milliseconds of this thread: what other processes and the garbage collector take is not the decoder's. */
async function timed (target: FuzzTarget, input: Uint8Array): Promise<number> {
  const start = performance.now()
  await runOnce(target, input)
  let ms = performance.now() - start
  for (let again = 0; again < 3 && ms > MAX_INPUT_MS / 10; again++) {
    const { user, system } = process.threadCpuUsage()
    await runOnce(target, input)
    const used = process.threadCpuUsage({ user, system })
    ms = Math.min(ms, (used.user + used.system) / 1000)
  }
  return ms
}

/** Finds out which of the batch did it. */
async function keepNews (
  target: FuzzTarget, batch: Uint8Array[], coverage: Coverage, report: FuzzReport
): Promise<void> {
  for (const input of batch) {
    try { await runOnce(target, input) } catch {} // reported before
    if (coverage.take()) report.corpus.push(input)
  }
  if (report.corpus.length === 0) report.corpus.push(...batch)
}

/** The shortest inputs of a corpus that together reach all that it reaches. */
export async function minimise (target: FuzzTarget, corpus: Uint8Array[]): Promise<Uint8Array[]> {
  const coverage = new Coverage(target.files)
  const kept: Uint8Array[] = []
  for (const input of corpus.toSorted((a, b) => a.length - b.length)) {
    await runOnce(target, input)
    if (coverage.take()) kept.push(input)
  }
  coverage.end()
  return kept
}

function heapBytes (): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

/** Exceptions and rejections that come when `run` has long returned. */
function watchLater (): { problems: unknown[], end: () => void } {
  const problems: unknown[] = []
  const onProblem = (err: unknown): void => { problems.push(err) }
  process.on('uncaughtException', onProblem)
  process.on('unhandledRejection', onProblem)
  return {
    problems,
    end: () => {
      process.off('uncaughtException', onProblem)
      process.off('unhandledRejection', onProblem)
    }
  }
}

function describe (err: unknown): string {
  return err instanceof Error ? err.stack ?? err.message : String(err)
}

/** An input of the corpus with one to four changes. */
export function mutate (corpus: Uint8Array[], tokens: string[], random: (n: number) => number): Uint8Array {
  let bytes: Uint8Array = corpus[random(corpus.length)]!
  for (let changes = 1 + random(4); changes > 0; changes--) {
    const at = random(bytes.length + 1)
    switch (random(7)) {
      case 0: bytes = splice(bytes, at, 1, Uint8Array.of(random(256))); break
      case 1: bytes = splice(bytes, at, 1 + random(4)); break
      case 2: bytes = splice(bytes, at, 0, Uint8Array.of(random(256))); break
      case 3: bytes = splice(bytes, at, 0, Buffer.from(tokens[random(tokens.length)]!, 'latin1')); break
      case 4: bytes = splice(bytes, at, random(32)); break
      case 5: bytes = splice(bytes, at, 1, Uint8Array.of((bytes[at] ?? 0) ^ (1 << random(8)))); break
      default: bytes = splice(bytes, at, 0, part(corpus[random(corpus.length)]!, random))
    }
  }
  return bytes.subarray(0, MAX_INPUT_BYTES)
}

function part (bytes: Uint8Array, random: (n: number) => number): Uint8Array {
  const from = random(bytes.length + 1)
  return bytes.subarray(from, from + 1 + random(64))
}

function splice (bytes: Uint8Array, at: number, removed: number, added: Uint8Array = new Uint8Array()): Uint8Array {
  return new Uint8Array(Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + removed)]))
}

interface Range { startOffset: number, endOffset: number, count: number }
interface Script { url: string, functions: Array<{ ranges: Range[] }> }

/** Which blocks ran, and about how often. */
class Coverage {
  readonly #session = new Session()
  readonly #files: RegExp
  readonly #seen = new Set<string>()

  constructor (files: RegExp) {
    this.#files = files
    this.#session.connect()
    this.#post('Profiler.enable')
    this.#post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  }

  get points (): number { return this.#seen.size }

  /** Something ran since the last time that never ran before; it counts as new until `take`. */
  hasNews (): boolean { return this.#news(1).size > 0 }

  /** The same, which is known from then on; how often it ran counts, too. */
  take (): boolean {
    const news = this.#news(8)
    for (const key of news) this.#seen.add(key)
    return news.size > 0
  }

  end (): void { this.#session.disconnect() }

  #news (steps: number): Set<string> {
    const news = new Set<string>()
    for (const { url, functions } of (this.#post('Profiler.takePreciseCoverage') as { result: Script[] }).result) {
      if (!this.#files.test(url)) continue
      for (const { ranges } of functions) {
        for (const { startOffset, endOffset, count } of ranges) {
          if (count === 0) continue
          const place = `${url}:${startOffset}:${endOffset}`
          // counts of one input only: those of a batch say nothing
          const key = steps === 1 ? place : `${place}:${Math.min(steps, Math.floor(Math.log2(count)))}`
          if (!this.#seen.has(key)) news.add(key)
          if (steps !== 1) news.add(place)
        }
      }
    }
    for (const key of news) if (this.#seen.has(key)) news.delete(key)
    return news
  }

  #post (method: string, params?: object): unknown {
    let answer: unknown
    this.#session.post(method, params, (_err: Error | null, result: unknown) => { answer = result })
    return answer
  }
}
