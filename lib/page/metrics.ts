/** Numbers of all tasks in the text format of Prometheus, version 0.0.4. Pure. */
import type { TaskLive, TaskView } from './snapshot.ts'

/** The content type of the answer. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

interface Metric {
  name: string
  kind: 'gauge' | 'counter'
  help: string
  of: (live: TaskLive) => number | Array<[state: string, value: number]>
}

const METRICS: readonly Metric[] = [
  {
    name: 'bitworker_task_pieces',
    kind: 'gauge',
    help: 'Pieces of the task by state.',
    of: ({ pieces: { stored, missing, running, claimed, failed } }) =>
      Object.entries({ stored, missing, running, claimed, failed })
  },
  { name: 'bitworker_task_computed_pieces_total', kind: 'counter', help: 'Pieces computed here.', of: ({ pieces }) => pieces.computed },
  { name: 'bitworker_task_downloaded_pieces_total', kind: 'counter', help: 'Pieces downloaded from peers.', of: ({ pieces }) => pieces.downloaded },
  { name: 'bitworker_task_received_bytes_total', kind: 'counter', help: 'Bytes received from peers.', of: live => live.downloaded },
  { name: 'bitworker_task_sent_bytes_total', kind: 'counter', help: 'Bytes sent to peers.', of: live => live.uploaded },
  { name: 'bitworker_task_peers', kind: 'gauge', help: 'Connected peers.', of: live => live.peers },
  { name: 'bitworker_task_slots', kind: 'gauge', help: 'Pieces that are computed at a time; 0: none are.', of: live => live.slots },
  { name: 'bitworker_task_done', kind: 'gauge', help: '1 if the task is done.', of: live => Number(live.done) },
  { name: 'bitworker_task_paused', kind: 'gauge', help: '1 if computing is paused.', of: live => Number(live.computing === 'paused') }
]

/** The text. @param tasks with what changes of them */
export function metricsOf (version: string, tasks: ReadonlyArray<[Pick<TaskView, 'infoHash' | 'name'>, TaskLive]>): string {
  const lines = [
    '# HELP bitworker_info The version of BitWorker.',
    '# TYPE bitworker_info gauge',
    `bitworker_info{${labels({ version })}} 1`
  ]
  for (const { name, kind, help, of } of METRICS) {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`)
    for (const [{ infoHash, name: task }, live] of tasks) {
      const value = of(live)
      const told = { infohash: infoHash, task }
      if (typeof value === 'number') lines.push(`${name}{${labels(told)}} ${value}`)
      else for (const [state, count] of value) lines.push(`${name}{${labels({ ...told, state })}} ${count}`)
    }
  }
  return `${lines.join('\n')}\n`
}

function labels (values: Record<string, string>): string {
  return Object.entries(values).map(([name, value]) => `${name}="${escaped(value)}"`).join(',')
}

function escaped (text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
