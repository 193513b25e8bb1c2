// Makes the task file of the video: node examples/video/make-task.ts [FILE]. ./scenes has the input: make-input.sh
import { writeFileSync } from 'node:fs'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { createTaskFrom, encodeTask } from '../../lib/index.ts'

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

const task = await createTaskFrom({
  name: 'video.mp4',
  script: here('encode.sh'),
  completeCommand: 'bash join.sh',
  // a piece for each file of the folder
  inputs: [{ path: here('join.sh') }, { path: 'scenes', perPart: true }],
  pieceLength: 4 * 1024 * 1024,
  deterministic: true,
  needs: { tools: ['ffmpeg'] }
})
const path = process.argv[2] ?? 'video.bitworker'
writeFileSync(path, encodeTask(task))
console.log(path)
