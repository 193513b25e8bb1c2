// When announced pieces are expected, by tables: what a holder does, and what is expected of it then.
import test from 'tape'
import {
  DeliveryForecast, MAX_PATIENCE_MS, MIN_PATIENCE_MS, NEWCOMER_PIECES
} from '../../lib/scheduling/delivery-forecast.ts'
import { Holder } from '../../lib/scheduling/holder.ts'
import { LAGS, Timing } from '../../lib/scheduling/timing.ts'

const KIB = 1024
const MIB = 1024 * KIB

interface Played {
  forecast: DeliveryForecast
  holder: Holder
  /** lets time pass */
  wait: (ms: number) => void
  /** how many of its pieces are expected of the holder now */
  expected: () => number
  /** it sends a piece within so many milliseconds */
  deliver: (index: number, ms?: number) => void
  /** how often somebody was found overdue */
  lapses: () => number
}

interface Setting { paceMs?: number, pieces?: number, size?: number, lagMs?: number }

/** A holder that has announced everything and was asked for it. */
function play ({ paceMs = 10_000, pieces = 100, size = 64 * KIB, lagMs = 0 }: Setting = {}): Played {
  let [now, lapses] = [0, 0]
  const timing = new Timing(() => now, () => lagMs / LAGS)
  const host = { changed () {}, overdue () { lapses++ } }
  const forecast = new DeliveryForecast(pieces, { timing, claims: { paceMs } }, host)
  const holder = new Holder()
  const announce = (to: Holder): void => {
    for (let index = 0; index < pieces; index++) forecast.announced(to, index, size)
  }
  announce(holder)
  forecast.asked(holder)
  const wait = (ms: number): void => {
    now += ms
    forecast.expire()
  }
  return {
    forecast,
    holder,
    wait,
    expected: () =>
      Array.from({ length: pieces }, (_, index) => index).filter(index => forecast.isExpectedFrom(holder, index))
        .length,
    deliver: (index, ms = 100) => {
      now += ms
      forecast.received(holder, size)
      forecast.delivered(holder, size)
      forecast.settled(index)
    },
    lapses: () => lapses
  }
}

test('a newcomer has credit for a few pieces, and more with each that it delivers', t => {
  const { expected, deliver, forecast } = play()
  t.equal(expected(), NEWCOMER_PIECES)
  t.ok(forecast.isExpected(0) && !forecast.isExpected(NEWCOMER_PIECES), 'those that it announced first')
  t.ok(forecast.isAnnounced(NEWCOMER_PIECES))
  deliver(0)
  t.equal(expected(), NEWCOMER_PIECES + 2)
  for (let index = 1; index < 10; index++) deliver(index)
  t.equal(expected(), NEWCOMER_PIECES + 20)
  t.end()
})

test('a silent holder is overdue until it delivers', t => {
  const rules: Array<[what: string, setting: Setting, dueMs: number]> = [
    ['short pieces', { paceMs: 300 }, MIN_PATIENCE_MS],
    ['nobody knows what a piece takes', { paceMs: 0 }, MIN_PATIENCE_MS],
    ['what a piece takes', { paceMs: 7_000 }, 7_000],
    ['but not for ever', { paceMs: 3_600_000 }, MAX_PATIENCE_MS],
    ['what comes late because we are slow is no fault', { paceMs: 300, lagMs: 1_500 }, MIN_PATIENCE_MS + 1_500]
  ]
  for (const [what, setting, dueMs] of rules) {
    const { holder, wait, expected, deliver } = play({ size: KIB, ...setting })
    wait(dueMs - 1)
    t.notOk(holder.isOverdue, `${what}: not yet`)
    wait(1)
    t.ok(holder.isOverdue, `${what}: overdue`)
    t.equal(expected(), 0)
    wait(60_000)
    t.equal(expected(), 0, 'for as long as it takes')
    deliver(99)
    t.notOk(holder.isOverdue)
  }
  t.end()
})

test('a holder that trickles is no better than a silent one', t => {
  const { forecast, holder, wait } = play({ paceMs: 300 })
  for (let i = 0; i < 20 && !holder.isOverdue; i++) {
    wait(MIN_PATIENCE_MS - 1)
    forecast.received(holder, 100)
  }
  t.ok(holder.isOverdue, 'bytes without a piece')
  t.end()
})

test("no holder counts as slow before its own usual time, or half of a piece's time, has passed", t => {
  const large = { pieces: 2, size: 900 * KIB }
  for (const [name, setting, gapMs, ms] of [
    ['a newcomer', { paceMs: 9_000 }, 0, 4_500],
    ['at most so long', { paceMs: 300_000, size: 30 * MIB }, 0, MAX_PATIENCE_MS],
    ['one that took two seconds', { paceMs: 9_000 }, 2_000, 6_000],
    ['where everything is late', { paceMs: 9_000, lagMs: 1_000 }, 2_000, 7_000]
  ] as const) {
    const { expected, wait, deliver, forecast, holder } = play({ ...large, ...setting })
    if (gapMs > 0) deliver(0, gapMs)
    wait(ms - 1)
    forecast.received(holder, 1) // it is not silent
    const before = expected()
    t.ok(before > 0, `${name}: ${before} are expected after ${ms - 1} ms`)
    wait(1)
    t.equal(expected(), 0, `${name}: none is expected after ${ms} ms`)
  }
  t.end()
})

test('a slow but honest holder of large pieces is waited for if computing takes longer', t => {
  // 16 MiB at 100 KB/s are 168 s
  const second = 100_000
  for (const [paceMs, isExpected] of [
    [3_600_000, true], [0, true], [400_000, true], [60_000, false], [1_000, false]
  ] as const) {
    const { forecast, wait } = play({ paceMs, size: 16 * MIB, pieces: 1 })
    const { holder } = { holder: new Holder() }
    forecast.announced(holder, 0, 16 * MIB)
    forecast.asked(holder)
    let wasExpected = true
    for (let s = 0; s < 167; s++) {
      wait(1_000)
      forecast.received(holder, second)
      wasExpected &&= holder.expected.has(0)
    }
    t.equal(wasExpected, isExpected, paceMs === 0 ? 'nobody knows how long' : `computing takes ${paceMs / 1000} s`)
  }
  t.end()
})

test('no more is expected than arrives while a piece is computed, except of a far faster holder', t => {
  for (const [gapMs, expected] of [[10, Infinity], [1_000, Infinity], [2_000, 5], [9_000, 1], [11_000, 0]] as const) {
    const { deliver, expected: count } = play({ paceMs: 10_000 })
    for (let index = 0; index < 50; index++) deliver(index, gapMs)
    t.equal(Math.min(50, count()), Math.min(50, expected), `a piece takes it ${gapMs} ms`)
  }
  t.end()
})

test('credit that was earned is lost at once', t => {
  const { wait, deliver, expected, lapses } = play({ paceMs: 300, pieces: 100 })
  for (let index = 0; index < 20; index++) deliver(index, 5)
  t.equal(expected(), NEWCOMER_PIECES + 40)
  wait(MIN_PATIENCE_MS)
  t.same([expected(), lapses()], [0, 1])
  deliver(20, 5)
  t.equal(expected(), 1, 'one delivered, one expected')
  t.end()
})

test('a holder that returns, withdraws or leaves is waited for no longer than one that stays', t => {
  const ways: Array<[string, (f: DeliveryForecast, h: Holder, wait: (ms: number) => void) => void]> = [
    [
      'overdue',
      (_forecast, _holder, wait) => {
        wait(MIN_PATIENCE_MS)
      }
    ],
    [
      'takes back',
      (forecast, holder) => {
        for (let index = 0; index < 100; index++) forecast.withdrawn(holder, index)
      }
    ],
    [
      'leaves',
      (forecast, holder) => {
        forecast.remove(holder)
      }
    ]
  ]
  for (const [name, end] of ways) {
    const { forecast, holder, wait } = play({ paceMs: 300 })
    const before = [...holder.expected]
    end(forecast, holder, wait)
    const again = new Holder()
    for (const index of before) forecast.announced(again, index, 64 * KIB)
    t.notOk(before.some(index => forecast.isExpected(index)), `${name}: the same pieces under another id`)
    for (let i = 0; i < 4; i++) forecast.delivered(again, 64 * KIB)
    t.ok(before.some(index => forecast.isExpected(index)), 'but of somebody who has delivered others')
  }
  t.end()
})

test('a piece is waited for only a few times, whatever liars do', t => {
  const { forecast, wait } = play({ paceMs: 300, pieces: 1 })
  let waitedMs = 0
  // each liar delivers 50 other pieces before it announces this one and falls silent
  for (let i = 0; i < 100; i++) {
    const liar = new Holder()
    for (let n = 0; n < 50; n++) forecast.delivered(liar, KIB)
    forecast.announced(liar, 0, KIB)
    forecast.asked(liar)
    for (let ms = 0; ms < 5_000; ms += 100) {
      wait(100)
      if (forecast.isExpected(0)) waitedMs += 100
    }
  }
  t.ok(waitedMs <= 4 * MIN_PATIENCE_MS, `${waitedMs} ms`)
  t.end()
})

test('a holder that was not asked, or whose pieces came from others, is not overdue', t => {
  const { forecast, holder, wait } = play({ paceMs: 300 })
  forecast.rests(holder)
  const idle = new Holder()
  forecast.announced(idle, 0, KIB)
  wait(1e6)
  t.notOk(holder.isOverdue || idle.isOverdue)
  forecast.asked(holder)
  for (let index = 0; index < 100; index++) forecast.settled(index)
  wait(1e6)
  t.notOk(holder.isOverdue, 'there is nothing to wait for')
  t.end()
})
