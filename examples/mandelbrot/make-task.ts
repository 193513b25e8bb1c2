// Makes the task file of the Mandelbrot poster: node examples/mandelbrot/make-task.ts [FILE]
import { readFileSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { createTask, encodeTask } from '../../lib/index.ts'
import type { Task } from '../../lib/index.ts'

/** The poster's size in pixels, and in how many bands it is rendered. */
export interface Poster { width: number, height: number, parts: number }

/** Large enough to hang on a wall; about 20 seconds of work for one core. */
export const POSTER: Poster = { width: 2400, height: 1600, parts: 80 }

/** The two programs travel inside the task: a volunteer needs nothing but bash and Node. */
function nodeCommand (program: string, { width, height }: Poster): string {
  const source = readFileSync(new URL(program, import.meta.url), 'utf8')
  return `WIDTH=${width} HEIGHT=${height} exec node -e '${source.replaceAll("'", "'\\''")}'`
}

/** The task; `height` is a multiple of `parts`. */
export function posterTask (poster: Poster, announce: string[] = []): Task {
  return createTask({
    name: 'mandelbrot.png',
    command: nodeCommand('render.js', poster),
    completeCommand: nodeCommand('assemble.js', poster),
    parts: poster.parts,
    pieceLength: poster.width * poster.height * 3 / poster.parts,
    announce
  })
}

if (import.meta.main) {
  const path = process.argv[2] ?? 'mandelbrot.bitworker'
  writeFileSync(path, encodeTask(posterTask(POSTER)))
  console.log(path)
}
