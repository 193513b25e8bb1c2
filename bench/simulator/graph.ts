/** Who is connected to whom. Pure. */
import { shuffle } from './random.ts'
import type { Random } from './random.ts'

/** A connection between two peers, by their numbers. */
export type Edge = [a: number, b: number]

/**
 * The connections of `peers` peers.
 * @param degree connections of each peer; from `peers` − 1 on, and when 0: everybody with everybody
 */
export function connections (peers: number, degree: number, random: Random): Edge[] {
  if (degree === 0 || degree >= peers - 1) return mesh(peers)
  for (;;) {
    const edges = randomRegular(peers, degree, random)
    if (edges !== undefined && isConnected(peers, edges)) return edges
  }
}

function mesh (peers: number): Edge[] {
  const edges: Edge[] = []
  for (let a = 0; a < peers; a++) for (let b = a + 1; b < peers; b++) edges.push([a, b])
  return edges
}

/**
 * Steger and Wormald 1999: pairs free ends by chance, leaving out what would be a loop or a double connection.
 * Undefined when it gets stuck. An odd number of ends leaves one peer with one connection less.
 */
function randomRegular (peers: number, degree: number, random: Random): Edge[] | undefined {
  let ends = Array.from({ length: peers * degree }, (_, i) => i % peers)
  if (ends.length % 2 === 1) ends.pop()
  const neighbours = Array.from({ length: peers }, () => new Set<number>())
  const edges: Edge[] = []
  while (ends.length > 0) {
    shuffle(ends, random)
    const left: number[] = []
    for (let i = 0; i < ends.length; i += 2) {
      const a = ends[i]!
      const b = ends[i + 1]!
      if (a === b || neighbours[a]!.has(b)) left.push(a, b)
      else {
        neighbours[a]!.add(b)
        neighbours[b]!.add(a)
        edges.push([a, b])
      }
    }
    if (left.length === ends.length && !canGoOn(left, neighbours)) return undefined
    ends = left
  }
  return edges
}

function canGoOn (ends: number[], neighbours: Array<Set<number>>): boolean {
  return ends.some(a => ends.some(b => a !== b && !neighbours[a]!.has(b)))
}

function isConnected (peers: number, edges: Edge[]): boolean {
  const neighbours = Array.from({ length: peers }, (): number[] => [])
  for (const [a, b] of edges) {
    neighbours[a]!.push(b)
    neighbours[b]!.push(a)
  }
  const reached = new Set([0])
  for (const peer of reached) for (const other of neighbours[peer]!) reached.add(other)
  return reached.size === peers
}
