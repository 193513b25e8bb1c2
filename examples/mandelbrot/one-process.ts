/**
 * The same work without BitWorker, to compare with: one bash process runs the command for each piece, one after the
 * other.
 */
import { copyFile, mkdir } from 'node:fs/promises'
import path from 'node:path'
import type { Task } from '../../lib/index.ts'
import type { Processes } from '../swarm/processes.ts'

const LOOP = `
set -e
cd "$DIR"
for ((PIECE_IDX = 0; PIECE_IDX < PIECE_COUNT; PIECE_IDX++)); do
  export PIECE_IDX
  bash -c "$COMMAND" > "$PIECE_IDX"
  echo "$PIECE_IDX" | tee -a parts
done
PART_LIST_FILE=parts bash -c "$COMPLETE_COMMAND"
`

/** What to do, and where. */
interface Loop {
  task: Task
  dir: string
  /** paths of the task's inputs, which are copied there */
  inputs: string[]
  /** variables beside the task's */
  env: Record<string, string>
}

/**
 * Resolves with the path of the file.
 * @param onPiece called after each piece
 */
export async function runOneProcess (
  processes: Processes, { task, dir, inputs, env }: Loop, onPiece: () => void
): Promise<string> {
  const file = path.join(dir, task.name)
  await mkdir(dir, { recursive: true })
  await Promise.all(inputs.map(input => copyFile(input, path.join(dir, path.basename(input)))))
  await processes.start({
    name: 'the loop',
    command: '/bin/bash',
    args: ['-c', LOOP],
    env: {
      ...env,
      DIR: dir,
      PIECE_COUNT: String(task.pieceCount),
      COMMAND: task.command,
      COMPLETE_COMMAND: task.completeCommand ?? '',
      FILE: file
    },
    onLine: onPiece
  })
  return file
}
