/**
 * Makes a task with its inputs: files and folders are hashed into input torrents, small ones are embedded in the info
 * dictionary, lists are cut into slices. Called by lib/index.ts and the command line.
 */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { createTask } from '../task/task.ts'
import { MAX_TRACKERS } from '../task/trackers.ts'
import { taskError } from '../task/types.ts'
import type { CreateTaskOptions, EmbeddedInput, InputSplit, Task } from '../task/types.ts'
import { outputOf } from './stage-source.ts'
import type { OutputSource } from './stage-source.ts'
import { changed } from './hash.ts'
import { sliceLines, sliceRows } from './lists.ts'
import type { SlicedList } from './lists.ts'
import { hashed, inputOf, remember, storeList, storeOwn } from './made-input.ts'
import type { Hashing } from './made-input.ts'
import { rememberMade } from './made-tasks.ts'
import type { ValueList } from './ranges.ts'
import { registryFolder } from './registry.ts'
import { rootArchive } from './roots/root-source.ts'
import type { RootSource } from './roots/root-source.ts'
import { whatRuns } from './script.ts'
import { infoOf, publicTrackers } from './torrent-file.ts'
import { readTree, sourceError, withoutHidden } from './tree.ts'
import type { SourceTree } from './tree.ts'

/** Everyone who opens the task receives the embedded bytes, and may want to read them. */
const MAX_EMBEDDED_BYTES = 64 * 1024

/** How an input is split among the pieces: a folder by files, a file evenly or into slices of `slice` bytes. */
export type PerPart = boolean | { slice: number }

interface PathSource { path: string, name?: string, perPart?: PerPart }
interface TorrentSource { torrent: Uint8Array, name: string, perPart?: PerPart }

/** A source that `createTaskFrom` makes an input of. */
export type InputSource =
  /** an input as in `createTask` */
  | NonNullable<CreateTaskOptions['inputs']>[number]
  /** a file or folder; `name`: default its own */
  | PathSource
  /** the data that a torrent file (BEP 3) describes; it is not read */
  | TorrentSource
  /** the output of another task */
  | OutputSource
  /** the lines of a text, `chunk` of them per piece; default 1 */
  | { lines: Uint8Array, name?: string, chunk?: number }
  /** rows of values, `chunk` of them per piece; default 1 */
  | { list: ValueList, name?: string, chunk?: number }

/** Options of `createTaskFrom`. */
export interface CreateTaskFromOptions extends Omit<CreateTaskOptions, 'inputs' | 'command' | 'root'> {
  /** as `createTask` takes it; without `script` only */
  command?: string
  /**
   * in place of `command`: the path of a script, which is the first of the inputs. The interpreter that its first line
   * (`#!`) names is one of the tools that the task needs, unless it is bash or sh
   */
  script?: string
  /** at most 16; `parts` may be omitted if one of them is split */
  inputs?: readonly InputSource[]
  /**
   * the system in which the commands run, in place of the volunteer's: an archive (tar, gzip, zstd), a folder, of which
   * one is made, or the torrent file of an archive; it is one of the inputs
   */
  root?: RootSource
  /** called with the number of bytes hashed, and the total */
  onProgress?: (done: number, total: number) => void
  /** aborts the hashing */
  signal?: AbortSignal
  /**
   * the folder that records which inputs were made of which files, for `run` on this machine; default: see
   * lib/inputs/registry.ts
   */
  registry?: string
}

type Entry = NonNullable<CreateTaskOptions['inputs']>[number]

/** An input whose size is known, and that has not been hashed yet. */
interface Draft {
  /** its size if embedded; default: it cannot be embedded */
  embedding?: { bytes: number, embed: () => Promise<Entry> } | undefined
  /** bytes to hash otherwise */
  length: number
  /** number of pieces that it implies; undefined: none */
  pieceCount: number | undefined
  /** where a torrent that exists is found; default: nowhere */
  announce?: string[]
  hash: (opts: Hashing) => Promise<Entry>
}

/**
 * Makes a task like `createTask`, with inputs made of files and lists. Rejects with the errors of `createTask`,
 * BW_ERR_INPUT_SOURCE, BW_ERR_INPUT, BW_ERR_NOT_FOUND, BW_ERR_NOT_PERMITTED, and the signal's reason.
 */
export async function createTaskFrom ({
  inputs = [], script, root, command, onProgress, signal, registry = registryFolder(), ...others
}: CreateTaskFromOptions): Promise<Task> {
  if (!Array.isArray(inputs)) throw badOption('inputs must be a list.')
  const { script: source, ...runs } = await whatRuns({ script, command, needs: others.needs })
  const opts = { ...others, ...runs }
  const drafts: Draft[] = []
  for (const input of [...source, ...inputs as readonly InputSource[]]) {
    drafts.push(await draftOf(input, opts.parts, registry))
  }
  if (root !== undefined) drafts.push(await draftOfRoot(root, opts.parts, signal))
  const pieceCount = drafts.map(draft => draft.pieceCount).find(count => count !== undefined)
  checkPieceCount(opts, pieceCount)
  const embedded = chooseEmbedded(drafts)
  const total = drafts.reduce((sum, draft) => sum + (embedded.has(draft) ? 0 : draft.length), 0)
  let done = 0
  const hashing: Hashing = {
    pieceCount,
    private: opts.private === true,
    registry,
    signal,
    onProgress: bytes => { onProgress?.(done += bytes, total) }
  }
  const entries: Entry[] = []
  for (const draft of drafts) entries.push(await (embedded.get(draft)?.() ?? draft.hash(hashing)))
  const parts = opts.parts ?? (opts.files === undefined ? pieceCount : undefined)
  const task = createTask({
    ...trackersFor(opts, drafts),
    ...opts,
    ...(parts !== undefined && { parts }),
    ...(entries.length > 0 && { inputs: entries }),
    ...(root !== undefined && { root: entries.at(-1)!.name })
  })
  if (task.completeBy === 'author') await rememberMade(task.digest, registry)
  return task
}

/** Those of its inputs, for a task that has none and may be found by anybody. */
function trackersFor (opts: CreateTaskFromOptions, drafts: readonly Draft[]): Pick<CreateTaskOptions, 'announce'> {
  const all = new Set(drafts.flatMap(({ announce = [] }) => announce))
  return opts.private === true || all.size === 0 ? {} : { announce: [...all].slice(0, MAX_TRACKERS) }
}

/** Called before anything is hashed. */
function checkPieceCount (
  { parts, files }: Pick<CreateTaskOptions, 'parts' | 'files'>, pieceCount: number | undefined
): void {
  const asked = parts ?? files?.reduce((sum, file) => sum + file.parts, 0)
  if (pieceCount === undefined || asked === undefined || asked === pieceCount) return
  throw badOption(`The split input makes ${pieceCount} ${pieceCount === 1 ? 'piece' : 'pieces'}, not ${asked}. Leave out the number of pieces.`)
}

/** Embeds the smallest ones first, as long as they fit. */
function chooseEmbedded (drafts: readonly Draft[]): Map<Draft, () => Promise<Entry>> {
  const chosen = new Map<Draft, () => Promise<Entry>>()
  let left = MAX_EMBEDDED_BYTES
  for (const draft of drafts.toSorted((a, b) => (a.embedding?.bytes ?? 0) - (b.embedding?.bytes ?? 0))) {
    if (draft.embedding === undefined || draft.embedding.bytes > left) continue
    left -= draft.embedding.bytes
    chosen.set(draft, draft.embedding.embed)
  }
  return chosen
}

async function draftOf (source: InputSource, parts: number | undefined, registry: string): Promise<Draft> {
  if ('path' in source) return await draftOfPath(source, parts)
  if ('torrent' in source) return draftOfTorrent(source, parts)
  if ('outputOf' in source) return await draftOfOutput(source, parts, registry)
  if ('lines' in source) {
    const { name = 'entries', chunk = 1 } = source
    return draftOfList(sliceLines(source.lines, checkChunk(chunk), name), name)
  }
  if ('list' in source) {
    const { name = 'entries', chunk = 1 } = source
    return draftOfList(sliceRows(source.list, checkChunk(chunk), name), name)
  }
  const entry = async (): Promise<Entry> => await Promise.resolve(source)
  return { length: 0, pieceCount: undefined, hash: entry }
}

function checkChunk (chunk: number): number {
  if (Number.isInteger(chunk) && chunk >= 1) return chunk
  throw badOption('chunk must be a whole number of at least 1.')
}

async function draftOfPath (
  { path: from, name = path.basename(path.resolve(from)), perPart = false }: PathSource, parts: number | undefined
): Promise<Draft> {
  // a command finds its own file alone, without what a link would lead to
  const tree = perPart === false ? await readTree(from) : withoutHidden(await readTree(from, { follow: true }), from)
  const split = splitFor({ ...tree, files: tree.isFolder ? tree.files.length : undefined }, perPart, { parts, name })
  return {
    ...(!tree.isFolder && {
      embedding: {
        bytes: tree.length,
        embed: async () => ({ name, data: await readWhole(tree), ...(split !== undefined && { split: split.split }) })
      }
    }),
    length: tree.length,
    pieceCount: split?.pieceCount,
    hash: async hashing => {
      const entry = await hashed(tree, name, hashing)
      await remember(entry, tree, path.resolve(from), hashing)
      return { ...entry.input, ...(split !== undefined && { split: split.split }) }
    }
  }
}

/** It is never in the task file, and a folder is packed before it is hashed. */
async function draftOfRoot (
  root: RootSource, parts: number | undefined, signal: AbortSignal | undefined
): Promise<Draft> {
  const source = await rootArchive(root, signal)
  if ('torrent' in source) return draftOfTorrent(source, parts)
  if ('path' in source) return { ...await draftOfPath(source, parts), embedding: undefined }
  return {
    length: source.length,
    pieceCount: undefined,
    hash: async hashing => await storeOwn(source.name, hashing, source.pack)
  }
}

function draftOfTorrent ({ torrent, name, perPart = false }: TorrentSource, parts: number | undefined): Draft {
  const info = infoOf(torrent, name)
  const input = inputOf(info, name)
  const split = splitFor({ length: input.length, files: input.files }, perPart, { parts, name })
  const entry = async (): Promise<Entry> =>
    await Promise.resolve({ ...input, ...(split !== undefined && { split: split.split }) })
  const announce = publicTrackers(torrent)
  return { length: 0, pieceCount: split?.pieceCount, announce, hash: entry }
}

/** What is sealed is an ordinary torrent. */
async function draftOfOutput (source: OutputSource, parts: number | undefined, registry: string): Promise<Draft> {
  const { input, pieceCount, sealed } = await outputOf(source, registry)
  if (sealed !== undefined) return draftOfTorrent({ ...source, torrent: sealed, name: input.name }, parts)
  const entry = async (): Promise<Entry> => await Promise.resolve(input)
  return { length: 0, pieceCount, hash: entry }
}

function draftOfList (list: SlicedList, name: string): Draft {
  const { data, offsets, pieceCount, chunk, columns } = list
  const split: InputSplit = { by: 'table', chunk, columns }
  return {
    embedding: {
      bytes: data.length + offsets.length,
      embed: async () => await Promise.resolve({ name, data, split: { ...split, offsets } })
    },
    length: data.length + offsets.length,
    pieceCount,
    hash: async hashing => ({ ...await storeList(list, name, hashing), split })
  }
}

function splitFor (
  { length, files }: { length: number, files: number | undefined },
  perPart: PerPart,
  { parts, name }: { parts: number | undefined, name: string }
): { split: InputSplit, pieceCount: number } | undefined {
  if (perPart === false) return undefined
  const slice = typeof perPart === 'object' ? perPart.slice : undefined
  if (files !== undefined) {
    if (slice !== undefined) throw sourceError(name, 'is a folder, which is split by files, not into slices of bytes')
    return { split: { by: 'files' }, pieceCount: files }
  }
  if (slice === undefined && parts === undefined) {
    throw sourceError(name, 'is a file, so either the number of pieces or the size of a slice is needed')
  }
  const size = slice ?? Math.ceil(length / parts!)
  const pieceCount = Math.ceil(length / size)
  if (parts === undefined || pieceCount === parts) return { split: { by: 'bytes', size }, pieceCount }
  throw sourceError(
    name, `has ${length} bytes, which cannot be cut into ${parts} slices of equal size; slices of ${size} bytes would work (${pieceCount} of them)`
  )
}

async function readWhole ({ files, length }: SourceTree): Promise<EmbeddedInput['data']> {
  const [file] = files
  const data = await readFile(file!.source)
  if (data.length !== length) throw changed(file!)
  return new Uint8Array(data)
}

function badOption (message: string): Error {
  return taskError('BW_ERR_TASK_OPTIONS', message, 'usage')
}
