// Makes the task file of the dictionary: node examples/dictionary/make-task.ts [FILE]
import { writeFileSync } from 'node:fs'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { createTaskFrom, encodeTask } from '../../lib/index.ts'

const task = await createTaskFrom({
  name: 'pins.txt',
  script: fileURLToPath(new URL('hash.sh', import.meta.url)),
  completeCommand: 'LC_ALL=C sort --merge $PART_LIST > "$FILE"',
  // 20 pieces of 500 PINs
  inputs: [{ lines: Buffer.from(Array.from({ length: 10_000 }, (_, pin) => `${pin}\n`).join('')), chunk: 500 }],
  pieceLength: 64 * 1024,
  comment: 'A table to look up a PIN of four digits by its SHA-256'
})
const path = process.argv[2] ?? 'pins.bitworker'
writeFileSync(path, encodeTask(task))
console.log(path)
