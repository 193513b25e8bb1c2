// Makes the task file of the Mandelbrot poster: node examples/mandelbrot/make-task.ts [FILE]
import { writeFileSync } from 'node:fs'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { createTaskFrom, encodeTask } from '../../lib/index.ts'
import type { Task } from '../../lib/index.ts'

/** The poster's size in pixels, and in how many bands it is rendered. */
export interface Poster { width: number, height: number, parts: number }

/** Large enough to hang on a wall; about 20 seconds of work for one core. */
export const POSTER: Poster = { width: 2400, height: 1600, parts: 80 }

/** Inputs of the task: a volunteer needs nothing but bash and Node. */
export const PROGRAMS = ['render.cjs', 'assemble.cjs'].map(name => fileURLToPath(new URL(name, import.meta.url)))

/** The task; `height` is a multiple of `parts`. */
export async function posterTask ({ width, height, parts }: Poster): Promise<Task> {
  const run = (program: string): string => `WIDTH=${width} HEIGHT=${height} exec node ${program}`
  return createTaskFrom({
    name: 'mandelbrot.png',
    command: run('render.cjs'),
    completeCommand: run('assemble.cjs'),
    inputs: PROGRAMS.map(program => ({ path: program })),
    parts,
    pieceLength: width * height * 3 / parts
  })
}

if (import.meta.main) {
  const path = process.argv[2] ?? 'mandelbrot.bitworker'
  writeFileSync(path, encodeTask(await posterTask(POSTER)))
  console.log(path)
}
