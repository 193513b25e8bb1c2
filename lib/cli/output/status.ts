/** How far tasks are, for people. */
import type { LiveStatus } from '../../control/protocol.ts'
import type { FolderStatus } from '../../store/folder-status.ts'
import { escapeText, formatBytes, formatDuration, formatRate, plural } from './format.ts'

/** The lines about one task. @param live of its client; null if none runs */
export function describeStatus (
  name: string, { pieces, stored, bytes, files, finished }: FolderStatus, live: LiveStatus | null
): string[] {
  const have = live?.pieces.stored ?? stored
  const made = files === 1 ? [] : [`${finished} of ${plural(files, 'file')} finished`]
  return [
    [`${escapeText(name)}: ${Math.floor(100 * have / pieces)} %`, `${have} of ${plural(pieces, 'piece')}`, ...made, formatBytes(bytes)].join(', '),
    ...(live === null ? [`  no client runs it here${finished === files ? '' : ': bitworker run goes on'}`] : describeLive(live))
  ]
}

function describeLive (live: LiveStatus): string[] {
  const { pid, pieces, slots, peers, downloadSpeed, uploadSpeed, timeLeftMs, waiting, remark } = live
  const left = live.done || timeLeftMs === null || live.paused.length > 0 ? [] : [`${formatDuration(timeLeftMs)} left`]
  const failed = pieces.failed === 0 ? [] : [`${pieces.failed} failed here`]
  const busy = slots === 0 ? [] : [`${pieces.running} of ${plural(slots, 'slot')} busy`]
  return [
    `  ${escapeText(doing(live))} (pid ${pid})`,
    `  ${[...busy, ...failed, plural(peers, 'peer'), `↓ ${formatRate(downloadSpeed)}`, `↑ ${formatRate(uploadSpeed)}`, ...left].join(', ')}`,
    ...waiting.map(line => `  ${escapeText(line)}`),
    ...(remark === null ? [] : [`  ${escapeText(remark)}`])
  ]
}

/** What a client does, in a few words. */
export function doing ({ state, done, computing, finishing, paused }: LiveStatus): string {
  if (finishing) return 'finishing the running pieces, then it stops'
  if (done) return state ?? 'done, seeding'
  if (paused.length > 0) return `paused: ${paused.join(', ')}`
  return state ?? (computing === 'off' ? 'downloading' : 'computing')
}
