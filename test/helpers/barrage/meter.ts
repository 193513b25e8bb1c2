// Loaded into a process under fire (--import): says on descriptor 3 how much memory it has, whenever it gets SIGUSR2.
// What counts as kept is what a garbage collection leaves: whatever else a process holds is the allocator's.
import { writeSync } from 'node:fs'
import process from 'node:process'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

process.on('SIGUSR2', () => {
  const { rss } = process.memoryUsage()
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  writeSync(3, `${JSON.stringify({ resident: rss, kept: heapUsed + external })}\n`)
})
