/** The flags of `bitworker create`; lib/cli/flags/commands.ts has those of the other commands. */
import type { Command } from 'commander'
import { Option } from 'commander'
import type { CreateFlags } from '../commands/create.ts'
import { EXAMPLES } from './examples.ts'
import { addOptions, common, many, signer, value } from './shared.ts'
import {
  parseAnnounce, parseArch, parseBind, parseCount, parseFileParts, parseLimit, parsePieceLength, parseRange, parseRanges
} from './values.ts'

/** Adds `create` to the program. */
export function addCreate (program: Command): void {
  addOptions(program.command('create').summary('make a task file')
    .description('Makes a task file: a command that runs once per piece, with PIECE_IDX, FILE_IDX and PART_IDX in its environment, and whose standard output is the piece.')
    .argument('[lists...]', 'lists of values: ::: VALUE …; a piece gets one, and of several lists each combination'), [
    new Option('--name <name>', 'the name of the task: of its file, or with --file of its folder (required)'),
    new Option('--command <cmd>', 'run by bash once per piece (required, or one of the next two)'),
    new Option('--command-file <file>', 'the same from a file, whose text becomes part of the task'),
    new Option('--script <file>', 'a script as the command: an input, run by the interpreter of its first line (#!), which the task then needs'),
    value('--parts <n>', 'the number of pieces, all of one file', parseCount),
    many('--file <path:parts>', 'a file of the task and the number of its pieces', parseFileParts),
    new Option('--out-pattern <path>', 'with --parts: each piece is a file of this name in the folder NAME, such as frame-%04d.png; %d stands for its number, from 0'),
    value('--piece-length <size>', 'the largest size of a piece, such as 64K or 4M (default: 1M)', parsePieceLength),
    many('--input <path[:name]>', 'a file or folder, or the content of a FILE.torrent, that each run of the command finds in its working folder', parseBind),
    value('--input-per-part <path[:name]>', 'a folder, of which each piece gets a file, or a file, of which it gets a slice: $INPUT, and standard input', parseBind),
    value('--slice <size>', 'with a file of --input-per-part: the size of a slice (default: as --parts says)', parsePieceLength),
    new Option('--params <file.csv>', 'a table: each piece gets a row, in variables with the names of the first line'),
    new Option('--from-json <file>', 'an array: each piece gets an element as JSON in $ENTRY, or in variables if all are objects with the same keys'),
    many('--each-line <file>', 'each piece gets a line in $ENTRY', text => text),
    many('--each <from-to[:step]>', 'each piece gets one of these numbers in $ENTRY', parseRange),
    value('--chunk <n>', 'of a list, each piece gets so many entries: as lines of $INPUT, and of standard input', parseCount),
    new Option('--complete-command <cmd>', 'run by bash once per file, when all its parts are there; makes $FILE from $PART_LIST'),
    new Option('--complete-by <who>', 'who runs the complete command: all, or only the author, that is, run on this machine; others then keep the parts (default: all)').choices(['author', 'all']),
    value('--timeout <seconds>', 'longest run time of the command, per piece', parseCount),
    value('--complete-timeout <seconds>', 'longest run time of the complete command, per file', parseCount),
    many('--need <tool>', 'compute only where there is this program, such as ffmpeg', String),
    many('--need-command <cmd>', 'compute only where this command succeeds, run by bash in the sandbox', String),
    value('--need-cpus <n>', 'compute only where there are so many processors', parseCount),
    many('--arch <name>', 'compute only on this kind of processor, as uname -m says, such as x86_64', parseArch),
    value('--memory <size>', 'memory that a command needs, such as 4G', parseLimit),
    value('--scratch <size>', 'space that a command needs in its folder, which is in memory', parseLimit),
    many('--announce <url>', 'a tracker of the task', parseAnnounce),
    new Option('--private', 'let peers find each other only through its trackers, not through the DHT, the local network or other peers').default(false),
    new Option('--comment <text>', 'a note to people who consider running it; it travels with the link'),
    new Option('--try', 'compute the first piece here, and write the file only if that works (default: ask, at a terminal)'),
    new Option('--no-try', 'do not compute the first piece, and do not ask'),
    new Option('--reuse <task>', 'take over results of this task, which you know to be right for the new one as well'),
    new Option('--reuse-dir <dir>', 'with --reuse: the folder of its files, as run -o had it (default: the current one)'),
    value('--pieces <ranges>', 'with --reuse: only these pieces, such as 0-99,120 (default: all that are there)', parseRanges),
    new Option('--into <dir>', 'with --reuse: the folder in which the new task will be run (default: the current one)'),
    new Option('--sign', 'sign the task (see bitworker sign --help)').default(false),
    ...signer(),
    new Option('-o, --output <file>', 'the task file to write (default: NAME.bitworker)'),
    new Option('--force', 'overwrite an existing file').default(false),
    ...common()
  ]).addHelpText('after', EXAMPLES.create).action(async (words: string[], flags: CreateFlags) => {
    await (await import('../commands/create.ts')).create(words, flags)
  })
}
