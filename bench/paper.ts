// The paper's experiment (section 5) on real processes: peers × pieces, one work item at a time each, a full mesh on
// loopback.
//   node bench/paper.ts [--runs 3] [--cells 16x64,…] [--seconds 1] [--bytes 65536] [--warm-up 1000] [--full]
//                       [--write | --draw]
//   --warm-up  pieces of a task that is not measured, before the first cell, besides two pieces of a second a peer:
//              measured is a swarm at work, not sixteen processes that compile their code on one machine; 0: neither
//   --full     the paper's own: 64 minutes of work and 64 MB in all, however many pieces
//   --write    keeps the runs in bench/paper.json, where a cell that is run again replaces its former runs with the
//              same seconds and bytes; then draws bench/paper-*.svg (of the same seconds and bytes) and the tables in
//              bench/README.md
//   --draw     only the latter, without running anything
// Ctrl-C ends it; with --write, finished runs are kept.
import process from 'node:process'
import { parseArgs } from 'node:util'
import { draw } from './paper-charts.ts'
import { Peers, idealSeconds } from './paper-run.ts'
import type { Cell, Run } from './paper-run.ts'
import { isSameCell, readRuns, settingOf, writeRuns, writeTables } from './paper-table.ts'

const PEERS = [4, 8, 12, 16]
const PIECES = [64, 128, 192]
const FULL_SECONDS = 64 * 60
const FULL_BYTES = 64e6

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '3' },
    cells: { type: 'string', default: PIECES.flatMap(pieces => PEERS.map(peers => `${peers}x${pieces}`)).join(',') },
    seconds: { type: 'string', default: '1' },
    bytes: { type: 'string', default: '65536' },
    'warm-up': { type: 'string', default: '1000' },
    full: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    draw: { type: 'boolean', default: false }
  }
})

function cellOf (text: string): Cell {
  const [peers, pieces] = text.split('x').map(Number)
  if (!(peers! > 0) || !(pieces! > 0)) throw new Error(`${text} is no cell; write PEERSxPIECES, such as 16x64`)
  return {
    peers: peers!,
    pieces: pieces!,
    seconds: values.full ? FULL_SECONDS / pieces! : Number(values.seconds),
    bytes: values.full ? Math.ceil(FULL_BYTES / pieces!) : Number(values.bytes)
  }
}

function describe (run: Run): string {
  const { first, last, began, computed, started, finished, aborted, wasted, computing } = run
  return (
    `first ${first.toFixed(2)} s (${(first / idealSeconds(run)).toFixed(3)} × ideal), last ${last.toFixed(2)} s; began at ${began.toFixed(3)} s, ` +
    `computed at ${computed.toFixed(2)} s; ${started} started, ${finished} finished, ${aborted} aborted, ${((100 * wasted) / computing).toFixed(1)} % wasted`
  )
}

async function measure (cells: Cell[], runs: number): Promise<void> {
  const peers = new Peers()
  process.once('SIGINT', () => {
    peers.close()
    process.exit(130)
  })
  const warmUp = {
    peers: Math.max(...cells.map(cell => cell.peers)), pieces: Number(values['warm-up']), seconds: 0.02, bytes: 65536
  }
  if (warmUp.pieces > 0) {
    console.log(
      `warm-up: ${warmUp.peers} peers, ${warmUp.pieces} pieces in ${(await peers.run(warmUp)).last.toFixed(1)} s`
    )
    await peers.run({ ...warmUp, pieces: 2 * warmUp.peers, seconds: 1 }) // longer pieces take other ways
  }
  for (const cell of cells) {
    console.log(
      `${cell.peers} peers, ${cell.pieces} pieces of ${cell.bytes} bytes and ${cell.seconds} s: ideal ${idealSeconds(cell)} s`
    )
    for (let i = 0; i < runs; i++) {
      const run = await peers.run(cell)
      console.log(`  ${describe(run)}`)
      if (values.write) writeRuns([...readRuns().filter(each => i > 0 || !isSameCell(each, cell)), run])
    }
  }
  peers.close()
}

const cells = values.cells.split(',').map(cellOf)
if (!values.draw) await measure(cells, Number(values.runs))
if (values.draw || values.write) {
  draw(readRuns().filter(run => settingOf(run) === settingOf(cells[0]!)))
  writeTables(readRuns())
}
