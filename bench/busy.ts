// A swarm on a machine that is too small for it: sixteen peers, each a process, beside a busy loop for each processor
// but one. When all are late, copies of what is late make it worse: what counts is how many work items it takes.
//   node bench/busy.ts [--runs 1] [--peers 16] [--pieces 64] [--seconds 2] [--bytes 1000000] [--loops 1]
// With uTP (as clients do by default) and without.
import { spawn } from 'node:child_process'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { Peers } from './paper-run.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '1' },
    peers: { type: 'string', default: '16' },
    pieces: { type: 'string', default: '64' },
    seconds: { type: 'string', default: '2' },
    bytes: { type: 'string', default: '1000000' },
    loops: { type: 'string', default: '1' }
  }
})
const [peers, pieces] = [Number(values.peers), Number(values.pieces)]
const [seconds, bytes] = [Number(values.seconds), Number(values.bytes)]

const loops = Array.from({ length: Number(values.loops) }, () =>
  spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' })
)
const pool = new Peers()
try {
  console.log('| | work items | finished | first | last |\n|---|---|---|---|---|')
  for (let run = 0; run < Number(values.runs); run++) {
    for (const utp of [true, false]) {
      const { started, finished, first, last } = await pool.run({ peers, pieces, seconds, bytes, utp })
      console.log(
        `| ${utp ? 'with uTP' : 'without'} | ${started} | ${finished} | ${first.toFixed(1)} s | ${last.toFixed(1)} s |`
      )
    }
  }
} finally {
  for (const loop of loops) loop.kill('SIGKILL')
  pool.close()
}
