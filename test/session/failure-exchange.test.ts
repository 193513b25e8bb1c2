// What peers tell of their failures: told once, reported within bounds.
import { EventEmitter } from 'node:events'
import test from 'tape'
import { MAX_FAILURES } from '../../extensions/ut_bitworker/constants.ts'
import type { FailureRecord, UtBitworker } from '../../extensions/ut_bitworker/index.ts'
import { VirtualClock } from '../../bench/simulator/clock.ts'
import { NO_COST } from '../../lib/base/errors.ts'
import type { Wire } from '../../lib/base/wire.ts'
import type { FailedEvent, PeerFailedEvent } from '../../lib/session/events.ts'
import { FailureExchange } from '../../lib/session/failure-exchange.ts'

/** A connection: what was told on it, and what its peer tells. */
class Connection extends EventEmitter {
  readonly told: FailureRecord[] = []
  readonly state = { status: 'matched', failed: new Set<number>() }
  readonly wire = Object.assign(new EventEmitter(), { remoteAddress: '10.0.0.2', remotePort: 4000 })

  giveUp (failures: Iterable<FailureRecord>): void { this.told.push(...failures) }

  tell (...failures: FailureRecord[]): void {
    for (const { index } of failures) this.state.failed.add(index)
    this.emit('failures', failures)
  }

  join (exchange: FailureExchange): this {
    exchange.add(this.wire as unknown as Wire, this as unknown as UtBitworker)
    return this
  }
}

function begin (): { exchange: FailureExchange, heard: PeerFailedEvent[] } {
  const heard: PeerFailedEvent[] = []
  return { exchange: new FailureExchange(new VirtualClock(), failure => { heard.push(failure) }), heard }
}

function failed (piece: number, opts: Partial<FailedEvent> = {}): FailedEvent {
  return {
    piece, code: 'BW_ERR_COMMAND_EXIT', exitCode: 3, signal: null, stderr: 'first\nlast\n', ...NO_COST, message: 'm', final: true, ...opts
  }
}

const EXIT: FailureRecord = { index: 1, kind: 'exit', value: 3, line: 'last' }

test('what is given up here is told to all peers, with its last line; what is tried again, when it is not', t => {
  const { exchange } = begin()
  const one = new Connection().join(exchange)
  exchange.note('failed', failed(1))
  exchange.note('failed', failed(2, { final: false }))
  exchange.note('failed', failed(3, { code: 'BW_ERR_COMMAND_SIGNAL', exitCode: null, signal: 'SIGSEGV', stderr: '' }))
  exchange.note('failed', failed(4, { code: 'BW_ERR_COMMAND_TIMEOUT', exitCode: null, signal: 'SIGKILL', final: false }))
  exchange.note('computed', { piece: 4, size: 0, sha256: '', ...NO_COST, stderr: '' } as never)
  const others = [{ index: 3, kind: 'signal', value: 11, line: '' }] as const
  t.deepEqual(one.told, [EXIT, ...others])
  t.deepEqual(new Connection().join(exchange).told, [EXIT, ...others], 'a peer that comes later hears it, too')
  exchange.note('hopeless', {} as never)
  t.deepEqual(one.told.at(-1), { ...EXIT, index: 2 })
  exchange.note('downloaded', { piece: 1 } as never)
  t.deepEqual(new Connection().join(exchange).told.map(({ index }) => index), [3, 2], 'not what was made good')
  t.end()
})

test('what peers tell is reported, bounded, and changes nothing', t => {
  const { exchange, heard } = begin()
  const one = new Connection().join(exchange)
  one.tell(EXIT, { index: 2, kind: 'signal', value: 11, line: '' }, { index: 3, kind: 'output', value: 0, line: 'x' })
  const from = ['10.0.0.2:4000']
  t.deepEqual(heard, [
    { piece: 1, from, code: 'BW_ERR_COMMAND_EXIT', exitCode: 3, signal: null, stderr: 'last', message: 'The command exited with code 3: last' },
    { piece: 2, from, code: 'BW_ERR_COMMAND_SIGNAL', exitCode: null, signal: 'SIGSEGV', stderr: '', message: 'The command was killed by SIGSEGV.' },
    { piece: 3, from, code: 'BW_ERR_COMMAND_OUTPUT', exitCode: null, signal: null, stderr: 'x', message: 'The command wrote more to stdout than the piece length: x' }
  ])
  t.deepEqual(one.told, [], 'nothing is passed on')
  for (let i = 0; i < 100; i++) one.tell(EXIT)
  t.equal(heard.length, 18, 'the same piece again and again')
  for (let round = 0; round < 5; round++) {
    one.tell(...Array.from({ length: MAX_FAILURES }, (_, i) => ({ ...EXIT, index: round * MAX_FAILURES + i + 10 })))
  }
  t.ok(heard.length <= 2_100, `${heard.length} in one moment`)
  t.end()
})
