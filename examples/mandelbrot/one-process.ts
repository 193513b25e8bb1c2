/**
 * The same work without BitWorker, to compare with: one bash process runs the command for each piece, one after the
 * other.
 */
import { mkdir } from 'node:fs/promises'
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

/**
 * Resolves with the path of the file.
 * @param env variables beside the task's
 * @param onPiece called after each piece
 */
export async function runOneProcess (
  processes: Processes, task: Task, dir: string, env: Record<string, string>, onPiece: () => void
): Promise<string> {
  const file = path.join(dir, task.name)
  await mkdir(dir, { recursive: true })
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
