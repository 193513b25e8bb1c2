/** What a task is and what it would run: for people as lines, for `--json` as an object. Runs nothing. */
import path from 'node:path'
import { magnetOf } from '../task.ts'
import type { Task } from '../task.ts'
import { escapeLines, escapeText, formatBytes, formatDuration, plural, wrap } from './format.ts'

// More rows than this push the command, which matters most, off the screen.
const MAX_FILES_SHOWN = 20
const LABEL_COLUMNS = 10
const MARGIN = LABEL_COLUMNS + 4

type Row = [label: string, lines: string[], bar?: string]

// The bar on the left is ours alone, and lines are wrapped here: no line of a command, however long, can pass for one
// of the report.
const BAR = '│ '

function section (rows: Row[], columns: number): string[] {
  return rows.flatMap(([label, lines, bar = '']) => lines
    .flatMap(line => wrap(line, Math.max(20, columns - MARGIN - bar.length)))
    .map((line, i) => `  ${(i === 0 ? label : '').padEnd(LABEL_COLUMNS)}  ${bar}${line}`))
}

function capped (lines: string[]): string[] {
  if (lines.length <= MAX_FILES_SHOWN) return lines
  return [...lines.slice(0, MAX_FILES_SHOWN), `… and ${lines.length - MAX_FILES_SHOWN} more`]
}

function describeFiles (task: Task, outDir: string | undefined): string[] {
  return capped(task.files.map(file => {
    const target = outDir === undefined ? '' : ` → ${escapeText(path.resolve(outDir, file.path))}`
    return `${escapeText(file.path)}  ${plural(file.parts, 'part')}${target}`
  }))
}

/** How to describe. */
export interface DescribeOptions {
  /** also say where the files go */
  outDir?: string
  /** the width of the terminal; default: lines are not wrapped */
  columns?: number | undefined
}

/** A task in lines for a person. */
export function describeTask (task: Task, { outDir, columns = Infinity }: DescribeOptions = {}): string[] {
  const optional: Array<Row | false> = [
    task.legacy && ['format', ['legacy: the info-hash does not cover the command']],
    task.comment !== undefined && ['comment', escapeLines(task.comment), BAR],
    task.createdBy !== undefined && ['made by', [escapeText(task.createdBy)]],
    task.created !== undefined && ['made on', [task.created.toISOString()]]
  ]
  return [`${escapeText(task.name)}: a task of ${plural(task.pieceCount, 'piece')}`, ...section([
    ['info-hash', [task.infoHash]],
    ['command', escapeLines(task.command), BAR],
    task.completeCommand === undefined ? ['at the end', ['the parts are joined']] : ['at the end', escapeLines(task.completeCommand), BAR],
    [task.files.length === 1 ? 'file' : 'files', describeFiles(task, outDir)],
    ['piece size', [`at most ${formatBytes(task.pieceLength)}`]],
    ['time limit', [task.timeoutMs === undefined ? 'none' : `${formatDuration(task.timeoutMs)} a piece`]],
    ['trackers', task.announce.length === 0 ? ['none'] : capped(task.announce.map(escapeText))],
    ...optional.filter(row => row !== false)
  ], columns)]
}

/** What `task` events and `info --json` say. */
export interface TaskFields {
  infoHash: string
  name: string
  pieces: number
  /** bytes a piece may have */
  pieceLength: number
  command: string
  completeCommand?: string
  /** seconds for one work item */
  timeout?: number
  files: Array<{ path: string, parts: number }>
  announce: string[]
  comment?: string
  createdBy?: string
  created?: string
  legacy: boolean
  magnet: string
}

/** A task as the fields of a JSON event. */
export function taskFields (task: Task): TaskFields {
  return {
    infoHash: task.infoHash,
    name: task.name,
    pieces: task.pieceCount,
    pieceLength: task.pieceLength,
    command: task.command,
    ...(task.completeCommand !== undefined && { completeCommand: task.completeCommand }),
    ...(task.timeoutMs !== undefined && { timeout: task.timeoutMs / 1000 }),
    files: task.files.map(file => ({ path: file.path, parts: file.parts })),
    announce: task.announce,
    ...(task.comment !== undefined && { comment: task.comment }),
    ...(task.createdBy !== undefined && { createdBy: task.createdBy }),
    ...(task.created !== undefined && { created: task.created.toISOString() }),
    legacy: task.legacy,
    magnet: magnetOf(task)
  }
}
