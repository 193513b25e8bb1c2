// One queue with many readers: each reads everything once, and what all have read is dropped.
import fc from 'fast-check'
import test from 'tape'
import { BroadcastQueue } from '../../lib/peers/broadcast-queue.ts'

const SEED = Number(process.env['SEED'] ?? 1)

test('every reader gets every entry once, in order', t => {
  t.comment(`SEED=${SEED}`)
  // a number: that reader reads; null: an entry is added
  const step = fc.oneof({ weight: 20, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.nat({ max: 2 }) })
  fc.assert(fc.property(fc.array(step, { maxLength: 1000 }), steps => {
    const news = new BroadcastQueue<number>()
    const readers = [0, 1, 2].map(() => ({ until: news.end, seen: [] as number[] }))
    const read = (reader: typeof readers[number]): void => {
      reader.seen.push(...news.since(reader.until))
      reader.until = news.end
    }
    let added = 0
    for (const reader of steps) {
      if (reader === null) news.add(added++, () => readers.map(({ until }) => until))
      else read(readers[reader]!)
    }
    for (const reader of readers) read(reader)
    const all = Array.from({ length: added }, (_, i) => i)
    return readers.every(({ seen }) => seen.length === added && seen.every((entry, i) => entry === all[i]))
  }), { seed: SEED })
  t.end()
})

test('entries that all have read are dropped; a slow reader is checked rarely', t => {
  const news = new BroadcastQueue<number>()
  let asked = 0
  const readAt = (places: number[]) => (): number[] => {
    asked++
    return places
  }
  for (let i = 0; i < 10_000; i++) news.add(i, readAt([news.end]))
  t.ok([...news.since(0)].length < 200, 'read by all')
  asked = 0
  const slow = news.end
  for (let i = 0; i < 10_000; i++) news.add(i, readAt([slow, news.end]))
  t.equal([...news.since(slow)].length, 10_000, 'nothing is lost to the slow one')
  t.ok(asked < 20, `asked ${asked} times`)
  news.trim([0])
  t.equal(news.end, 20_000, 'what was dropped is not counted again')
  for (let i = 0; i < 20_000; i++) news.add(i, readAt([]))
  t.ok([...news.since(0)].length < 20_000, 'nobody is there any more')
  t.end()
})
