/**
 * A task for the page: a video that a club encodes, half done, as large as wanted. The same seed makes the same.
 */
import { PIECE_STATES } from '../../lib/page/piece-states.ts'
import type { PieceStateName } from '../../lib/page/piece-states.ts'
import type { FileView, PieceView, TaskLive } from '../../lib/page/snapshot.ts'
import type { PageScene } from './page-server.ts'

export const code = (name: PieceStateName): number => PIECE_STATES.indexOf(name)

/** mulberry32 */
function random (seed: number): () => number {
  let a = seed
  return () => {
    a = a + 0x6d2b79f5 | 0
    let t = Math.imul(a ^ a >>> 15, 1 | a)
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t
    return ((t ^ t >>> 14) >>> 0) / 4_294_967_296
  }
}

export interface SceneOptions {
  pieces: number
  files?: string[]
  name?: string
  command?: string
  stderr?: string
  /** milliseconds since 1970 */
  now?: number
  seed?: number
}

const PROGRAMS = ['BitWorker 0.1.0', 'BitWorker 0.1.0', 'BitWorker 0.1.0', 'WebTorrent 3.0.21', 'aria2 1.36.0']
const preview = (path: string): FileView['preview'] =>
  /\.(webm|mp4)$/.test(path) ? 'video' : /\.(png|jpg)$/.test(path) ? 'image' : /\.(txt|csv)$/.test(path) ? 'text' : null

/** Each piece by chance: done at the front, going on in the middle, open behind. */
function statesOf (pieces: number, next: () => number): Uint8Array {
  return Uint8Array.from({ length: pieces }, (_, piece) => {
    const far = piece / pieces + (next() - 0.5) * 0.16
    const lot = next()
    if (lot < 0.003) return code('failed')
    if (far < 0.5) return code(lot < 0.3 ? 'own' : lot < 0.33 ? 'disputed' : lot < 0.38 ? 'verified' : 'accepted')
    if (far < 0.6) return code(lot < 0.22 ? 'announced' : lot < 0.7 ? 'claimed' : 'missing')
    return code(lot < 0.04 ? 'waiting' : 'missing')
  })
}

/** The scene. */
export function sceneOf ({
  pieces, files = ['lecture.webm'], name = 'Lectures of the summer school', command = 'ffmpeg -v error -ss "$PIECE_IDX" -t 1 -i "$INPUT_TALK" -c:v libvpx-vp9 -b:v 1M -f webm -',
  stderr = '[libvpx-vp9 @ 0x55d0] Failed to initialise encoder: Out of memory', now = Date.now(), seed = 7
}: SceneOptions): PageScene {
  const next = random(seed)
  const states = statesOf(pieces, next)
  for (let i = 0, at = Math.floor(pieces * 0.53); i < 6 && at < pieces; at++) {
    if (PIECE_STATES[states[at]!] !== 'claimed') continue
    states[at] = code('running')
    at += Math.floor(pieces / 150)
    i++
  }
  const count = (...names: PieceStateName[]): number =>
    states.reduce((sum, state) => sum + (names.includes(PIECE_STATES[state]!) ? 1 : 0), 0)
  const isStored = (state: number): boolean => state >= code('stored')
  const stored = count('stored', 'own', 'accepted', 'verified', 'disputed')
  const each = Math.floor(pieces / files.length)
  const views = files.map((path, index): FileView => ({
    index,
    path,
    first: index * each,
    pieces: index === files.length - 1 ? pieces - index * each : each,
    preview: preview(path)
  }))
  const live: TaskLive = {
    pieces: {
      pieces,
      stored,
      missing: pieces - stored,
      computed: count('own'),
      downloaded: count('accepted'),
      running: Math.min(6, count('running')),
      claimed: count('claimed'),
      failed: count('failed')
    },
    computing: 'on',
    finishing: false,
    done: false,
    paused: [],
    waiting: [],
    state: null,
    remark: null,
    peers: 9,
    slots: 6,
    downloadSpeed: 1_830_000,
    uploadSpeed: 640_000,
    downloaded: 2_400_000_000,
    uploaded: 910_000_000,
    timeLeftMs: (pieces - stored) / 31 * 60_000,
    piecesPerMinute: 31,
    files: views.map(view => {
      const part = states.subarray(view.first, view.first + view.pieces)
      const inFile = part.reduce((sum, state) => sum + (isStored(state) ? 1 : 0), 0)
      return { stored: inFile, bytes: inFile * 1_310_000, isFinished: inFile === view.pieces }
    })
  }
  const infoHash = '5f0e4c1b9a7d2e8364c0b1a2d3e4f5061728394a'
  const runningHere = states.reduce<number[]>((list, state, piece) => state === code('running') && list.length < 6 ? [...list, piece] : list, [])
  const failedHere = Math.max(0, states.indexOf(code('failed')))
  const piece = (index: number): PieceView => {
    const state = PIECE_STATES[states[index]!]!
    const here = isStored(states[index]!)
    return {
      piece: index,
      state,
      file: Math.max(0, views.findLastIndex(({ first }) => first <= index)),
      part: index - (views.findLast(({ first }) => first <= index)?.first ?? 0),
      size: here ? 1_310_720 : null,
      sha256: here ? 'c0ffee'.repeat(10) + 'beef' : null,
      standing: state === 'accepted' ? 'confirmed' : null,
      isUrgent: false,
      running: state === 'running' ? { piece: index, since: now - 8000, estimateMs: 14_000, kind: 'piece' } : null,
      claims: state === 'claimed' ? [{ peer: '192.168.1.24:51413', since: now - 9000, estimateMs: 16_000, isRespected: true }] : [],
      holders: here || state === 'announced' ? ['192.168.1.24:51413', '192.168.1.31:6881'] : [],
      copies: here ? 3 : state === 'announced' ? 2 : 0,
      attesters: [],
      attempts: state === 'failed'
        ? [
            { at: now - 60_000, event: 'failed', ms: 4200, cpuMs: 3900, memoryBytes: 2_147_483_648, exitCode: 234, code: 'ERR_EXIT', final: true, message: 'The command failed with exit code 234', stderr },
            { at: now - 66_000, event: 'failed', ms: 4100, cpuMs: 3800, memoryBytes: 2_147_483_648, exitCode: 234, code: 'ERR_EXIT', message: 'The command failed with exit code 234', stderr }
          ]
        : here ? [{ at: now - 600_000, event: 'computed', ms: 13_400, cpuMs: 12_900, memoryBytes: 412_000_000, size: 1_310_720 }] : [],
      explanation: state === 'failed'
        ? 'It failed twice on this machine, each time with exit code 234, and is left to others; nobody computes it now.'
        : state === 'claimed' ? 'A peer computes it since 9 s, and usually takes 16 s.' : here ? 'It is stored, and shared with others.' : null
    }
  }
  return {
    task: {
      infoHash,
      name,
      neededBy: null,
      pieces: live.pieces,
      computing: 'on',
      done: false,
      folder: '/home/ada/videos',
      command,
      completeCommand: null,
      comment: null,
      createdBy: 'BitWorker 0.1.0',
      createdAt: now - 7_200_000,
      pieceLength: 4_194_304,
      signed: 'Signed by Ada, whom you trust.',
      verifying: 'audit',
      magnet: `magnet:?xt=urn:btih:${infoHash}&dn=${encodeURIComponent(name)}&tr=wss%3A%2F%2Ftracker.example.org`,
      files: views,
      live
    },
    states,
    // what came first has spread furthest
    copies: Uint8Array.from(states, (state, index) =>
      isStored(state) || state === code('announced') ? Math.max(1, Math.round(6 - 9 * index / pieces + next())) : 0),
    piece,
    work: {
      running: runningHere.map((index, i) => ({ piece: index, since: now - 2000 - i * 1900, estimateMs: 14_000, kind: i === 3 ? 'check' : 'piece' })),
      ended: Array.from({ length: 8 }, (_, i) => {
        const isFailed = i === 3
        return {
          piece: isFailed ? failedHere : Math.floor(pieces * 0.44) + (i * 7) % 23,
          at: now - i * 5100,
          outcome: isFailed ? 'failed' : 'computed',
          ms: 11_000 + Math.floor(next() * 6000),
          cpuMs: 10_000 + Math.floor(next() * 5000),
          memoryBytes: 380_000_000 + Math.floor(next() * 8e7),
          message: isFailed ? 'The command failed with exit code 234' : null
        }
      })
    },
    peers: Array.from({ length: 9 }, (_, i) => ({
      name: i < 6 ? `192.168.1.${20 + i * 3}:51413` : `[2001:db8::${i}]:6881`,
      client: PROGRAMS[i % PROGRAMS.length]!,
      isTaskPeer: i % 5 < 3,
      held: i % 5 < 3 ? Math.floor(stored * next()) : null,
      claims: i % 5 < 3 ? Math.floor(next() * 9) : null,
      delivered: i % 5 < 3 ? Math.floor(next() * stored / 6) : null,
      received: Math.floor(next() * 4e8),
      sent: Math.floor(next() * 2e8),
      downloadSpeed: i % 3 === 0 ? 0 : Math.floor(next() * 6e5),
      uploadSpeed: Math.floor(next() * 2e5),
      strikes: i === 4 ? 1 : 0
    })),
    rates: {
      stepMs: 10_000,
      points: Array.from({ length: 360 }, (_, i) => {
        const wave = 20 + 9 * Math.sin(i / 40) + (i > 200 ? 7 : 0) + next() * 4
        return [now - (359 - i) * 10_000, wave, wave * 58_000 + next() * 2e5, wave * 21_000 + next() * 1e5]
      })
    },
    messages: [
      { id: 1, at: now - 7_100_000, kind: 'info', text: 'The task is checked: 9 peers are connected.', piece: null },
      { id: 2, at: now - 900_000, kind: 'warning', text: 'A peer broke a rule: it announced a piece twice.', piece: null },
      { id: 3, at: now - 60_000, kind: 'failure', text: `Piece ${failedHere} failed here with exit code 234.`, piece: failedHere }
    ]
  }
}
