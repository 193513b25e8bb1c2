/** A tutorial of docs/tutorials, followed to the letter with the real programs. */
import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import test from 'tape'
import type { Test } from 'tape'
import { workspace } from './cli.ts'
import { testExamples } from './documents.ts'

/** Follows it, then looks at what came of it in the folder where that was. */
export function testTutorial (name: string, check: (t: Test, dir: string) => Promise<void> | void): void {
  test(`docs/tutorials/${name}`, async t => {
    const { start } = await workspace(t)
    const tracker = start(['tracker', '--host', '127.0.0.1', '--port', '0', '--dht-port', '0', '--json'])
    const { announce } = await tracker.event('listening')
    const text = await readFile(new URL(`../../docs/tutorials/${name}`, import.meta.url), 'utf8')
    await check(t, await testExamples(t, text, (announce as string[])[0]))
  })
}

/** What ffprobe says of a media file, such as of `format=duration`. */
export function probe (file: string, entries: string): string {
  return execFileSync('ffprobe', ['-v', 'error', '-show_entries', entries, '-of', 'csv=p=0', file]).toString().trim()
}
