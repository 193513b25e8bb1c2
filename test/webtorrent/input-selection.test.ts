// Which torrent pieces of an input are selected: deciding it does not walk through all of them.
import test from 'tape'
import { InputSelection } from '../../lib/webtorrent/input-selection.ts'
import type { InternalTorrent } from '../../lib/webtorrent/internals.ts'

const PIECES = 300_000

test('of very many torrent pieces only those that are wanted are looked at', t => {
  const calls: string[] = []
  let looked = 0
  const stored = Array<object | null>(PIECES).fill(null)
  stored[PIECES - 1] = {}
  const pieces = new Proxy(stored, {
    get: (target, key) => {
      looked++
      return Reflect.get(target, key) as unknown
    }
  })
  const torrent = {
    pieces,
    select: (...range: number[]) => { calls.push(`select ${range.join(' ')}`) },
    deselect: (...range: number[]) => { calls.push(`deselect ${range.join(' ')}`) }
  } as unknown as InternalTorrent
  const selection = new InputSelection(() => 0.5)
  selection.update(torrent, ['all'], 1)
  t.deepEqual(calls.splice(0), [
    `deselect 0 ${PIECES - 1}`, `select ${PIECES / 2} ${PIECES - 1} 0`, `select 0 ${PIECES / 2 - 1} 0`
  ])
  selection.update(torrent, [new Set([1, PIECES - 1])], 1)
  t.deepEqual(calls.splice(0), [`deselect 0 ${PIECES - 1}`, `select ${PIECES - 1} ${PIECES - 1} 1`])
  selection.update(torrent, ['all'], 0)
  t.deepEqual(calls.splice(0), [`deselect ${PIECES - 1} ${PIECES - 1}`], 'all of it is stored')
  t.ok(looked < 20, `${looked} looks`)
  t.end()
})
