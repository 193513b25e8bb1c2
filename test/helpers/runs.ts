/** What tests of `run` do again and again: create a task, and read what a run printed. */
import type { JsonEvent, Running, Workspace } from './cli.ts'

export const SQUARES = ['--name', 'squares', '--command', 'echo $((PIECE_IDX*PIECE_IDX))']
export const EIGHT_SQUARES = '0\n1\n4\n9\n16\n25\n36\n49\n'

/** Creates a task of pieces of at most 64 KiB, unless the flags say otherwise. Returns the event that says so. */
export async function create (files: Workspace, args: string[]): Promise<JsonEvent> {
  const { code, events, stderr } = await files.run(['create', '--json', '--piece-length', '64K', ...args])
  if (code !== 0) throw new Error(stderr)
  return events[0]!
}

/** The pieces of all events of that name, ascending. */
export function piecesOf (name: string, events: JsonEvent[]): number[] {
  return events.filter(({ event }) => event === name).map(({ piece }) => Number(piece)).sort((a, b) => a - b)
}

/** Where the peer listens, on the loopback. */
export async function portOf (peer: Running): Promise<string> {
  return `127.0.0.1:${String((await peer.event('listening'))['port'])}`
}
