/** The inputs of `create`, from its flags: files, folders, torrents, lists of parameters. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { Bind } from '../../executor/binds.ts'
import { BitWorkerError } from '../../base/errors.ts'
import type { InputSource, PerPart } from '../../inputs/make-task.ts'
import { combine, csvList, jsonList, linesList, linked } from '../../inputs/lists.ts'
import type { ValueList } from '../../inputs/ranges.ts'
import type { RootSource } from '../../inputs/roots/root-source.ts'
import { readError } from '../../inputs/tree.ts'
import type { NetworkFlags } from '../flags/network.ts'
import { outputSource } from './create-stages.ts'
import { isTorrentLink, linkedTorrent } from './create-torrents.ts'

/** The flags as typed. */
export interface InputFlags extends NetworkFlags {
  input: Bind[]
  root?: Bind
  inputPerPart?: Bind
  /** bytes */
  slice?: number
  params?: string
  fromJson?: string
  eachLine: string[]
  each: ValueList[]
  chunk?: number
}

/** Where a list begins, as with GNU parallel: `::::` names files of it; `+`: beside the list before it. */
const LIST_MARK = /^:::(:?)(\+?)$/

/**
 * The inputs of a task, in the order of the info dictionary. Throws BW_ERR_USAGE, BW_ERR_NOT_FOUND,
 * BW_ERR_INPUT_SOURCE.
 */
export async function inputSources (flags: InputFlags, words: readonly string[]): Promise<InputSource[]> {
  const { chunk, inputPerPart, slice } = flags
  if (slice !== undefined && inputPerPart === undefined) throw usage('--slice needs a file to cut. Pass --input-per-part FILE as well.')
  const whole = await Promise.all(flags.input.map(async input => await sourceOf(input, false, flags)))
  const share = slice === undefined ? true : { slice }
  const perPart = inputPerPart === undefined ? [] : [await sourceOf(inputPerPart, share, flags)]
  const list = await listOf(flags, await wordLists(words), chunk)
  if (list === null && chunk !== undefined) throw usage('--chunk needs a list. Pass, for example, --each-line FILE or ::: VALUE … as well.')
  if (list !== null && perPart.length > 0) {
    throw usage('A piece gets either a slice of --input-per-part or an entry of a list, not both. Pass one of the two.')
  }
  return [...whole, ...perPart, ...(list === null ? [] : [list])]
}

/** The system in which the commands run. Throws BW_ERR_USAGE, errors of the file system. */
export async function rootSource (flags: InputFlags): Promise<{ root?: RootSource }> {
  const { root } = flags
  if (root?.path.startsWith('task:') === true) throw usage('The output of a task cannot be a root yet. Name an archive or a folder.')
  return root === undefined ? {} : { root: await sourceOf(root, false, flags) as RootSource }
}

/** Whether the inputs determine the number of pieces. */
export function hasSplit (
  { inputPerPart, params, fromJson, eachLine, each }: InputFlags, words: readonly string[]
): boolean {
  return words.length > 0 || eachLine.length > 0 || each.length > 0 ||
    [inputPerPart, params, fromJson].some(flag => flag !== undefined)
}

async function sourceOf ({ path: from, name }: Bind, perPart: PerPart, flags: NetworkFlags): Promise<InputSource> {
  if (from.startsWith('task:')) return await outputSource(from.slice('task:'.length), perPart, flags)
  if (isTorrentLink(from)) return await linkedTorrent({ link: from, name, perPart }, flags)
  if (/^[a-z][a-z\d+.-]*:\/\//i.test(from)) {
    throw usage('Inputs are files, folders and torrents. Name a file, a folder, or a magnet link or http URL of a torrent.')
  }
  if (from.endsWith('.bitworker')) throw usage(`A task file cannot be an input, but the output of its task can. Pass task:${from}.`)
  if (!from.endsWith('.torrent')) return { path: from, ...(name !== undefined && { name }), perPart }
  return { torrent: await read(from), name: name ?? path.basename(from, '.torrent'), perPart }
}

/** A single list is used as it is; several are combined; null if there is none. */
async function listOf (
  { params, fromJson, eachLine, each }: InputFlags, words: ValueList[], chunk = 1
): Promise<InputSource | null> {
  const [only] = eachLine
  const isLines = params === undefined && fromJson === undefined && each.length === 0 && words.length === 0
  if (isLines && only !== undefined && eachLine.length === 1) return { lines: await read(only), chunk }
  const lists = [
    ...(params === undefined ? [] : [csvList(await read(params), params)]),
    ...(fromJson === undefined ? [] : [jsonList(await read(fromJson), fromJson)]),
    ...await Promise.all(eachLine.map(async file => linesList(await read(file), file))),
    ...each,
    ...words
  ]
  return lists.length === 0 ? null : { list: combine(lists), chunk }
}

/** Each is a list, or several that are linked. */
async function wordLists (words: readonly string[]): Promise<ValueList[]> {
  const groups: Array<Array<{ isFiles: boolean, values: string[] }>> = []
  for (const word of words) {
    const [mark, files, plus] = LIST_MARK.exec(word) ?? []
    if (mark === undefined && groups.length === 0) throw usage(`create takes no argument such as ${word}. A list begins with ::: .`)
    if (mark === undefined) groups.at(-1)!.at(-1)!.values.push(word)
    else if (plus === '') groups.push([{ isFiles: files !== '', values: [] }])
    else if (groups.length === 0) throw usage(`There is no list before ${word} that it could be linked to.`)
    else groups.at(-1)!.push({ isFiles: files !== '', values: [] })
  }
  if (groups.flat().some(({ values }) => values.length === 0)) throw usage('A list has no values. Pass ::: VALUE … .')
  const lists: ValueList[] = []
  for (const group of groups) {
    const members: ValueList[] = []
    for (const { isFiles, values } of group) {
      if (!isFiles) members.push({ rows: values.map(value => [value]) })
      else for (const file of values) members.push(linesList(await read(file), file))
    }
    // several files are several lists, unless they are linked
    lists.push(...(group.length > 1 ? [linked(members)] : members))
  }
  return lists
}

async function read (file: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(file))
  } catch (error) {
    throw readError(error, file)
  }
}

function usage (message: string): BitWorkerError {
  return new BitWorkerError('BW_ERR_USAGE', 'usage', message)
}
