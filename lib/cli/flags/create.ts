/** The flags of `bitworker create`; lib/cli/flags/commands.ts has those of the other commands. */
import type { Command } from 'commander'
import { Option } from 'commander'
import type { CreateFlags } from '../commands/create.ts'
import { EXAMPLES } from './examples.ts'
import { addOptions, common, group, many, network, signer, value } from './shared.ts'
import {
  parseAnnounce, parseArch, parseCount, parseFileParts, parseInput, parseLimit, parsePieceLength, parseRange,
  parseRanges
} from './values.ts'

/** Adds `create` to the program. */
export function addCreate (program: Command): void {
  addOptions(program.command('create').summary('make a task file')
    .description('Makes a task file: a command that bash runs once per piece, with PIECE_IDX, FILE_IDX and PART_IDX in its environment. Its standard output is the piece.')
    .argument('[lists...]', 'lists: ::: VALUE … or :::: FILE …; each piece gets one entry, or one combination of several lists; :::+ and ::::+ put a list beside the one before'), [
    new Option('--name <name>', 'the name of the task, and of its file (with --file, of its folder); required'),
    new Option('--command <cmd>', 'the command to run for each piece; this or one of the next two is required'),
    new Option('--command-file <file>', 'the same, read from a file, whose text becomes part of the task'),
    new Option('--script <file>', 'a script as the command: an input, run by the interpreter in its first line (#!), which the task then needs'),
    new Option('--complete-command <cmd>', 'the command to run for each file when all its parts are stored; makes $FILE from $PART_LIST'),
    new Option('--complete-by <who>', 'who runs the complete command: all peers, or only the author, with run on this machine; others then keep the parts (default: all)').choices(['author', 'all']),
    new Option('--comment <text>', 'a note for people who consider running the task, which the link carries, too'),
    new Option('-o, --output <file>', 'the task file to write (default: NAME.bitworker)'),
    new Option('--force', 'overwrite an existing file').default(false),
    ...group('Pieces', [
      value('--parts <n>', 'the number of pieces, all of one file', parseCount),
      many('--file <path:parts>', 'a file of the task, and the number of its pieces', parseFileParts),
      new Option('--out-pattern <path>', 'with --parts: make each piece a file in the folder NAME, named by this pattern, such as frame-%04d.png; %d stands for its number, from 0'),
      value('--piece-length <size>', 'the largest size of a piece, such as 64K or 4M (default: 1M)', parsePieceLength)
    ]),
    ...group('Inputs', [
      many('--input <path[:name]>', 'a file or folder for all pieces; the command finds it in its working directory. FILE.torrent, its URL, or a magnet link is the content of that torrent, task:TASK[/PATH][:NAME] is the output of another task', parseInput),
      value('--root <path[:name]>', 'the system in which the command runs, in place of the volunteer\'s: a tar archive (also gzip or zstd), or a folder, as docker export or debootstrap make it; it must contain bash', parseInput),
      value('--input-per-part <path[:name]>', 'a folder, of which each piece gets a file, or a file, of which it gets a slice, as $INPUT and as standard input. Of task:TASK[:NAME], each piece gets a file or a piece', parseInput),
      value('--slice <size>', 'with a file in --input-per-part: the size of a slice (default: by --parts)', parsePieceLength),
      new Option('--params <file.csv>', 'a table: each piece gets a row, in variables with the names in the first line'),
      new Option('--from-json <file>', 'an array, or JSON lines: each piece gets an element, as JSON in $ENTRY, or in variables if all elements are objects with the same keys'),
      many('--each-line <file>', 'each piece gets a line, in $ENTRY', text => text),
      many('--each <from-to[:step]>', 'each piece gets one of these numbers, in $ENTRY; 01-10 keeps the zeros', parseRange),
      value('--chunk <n>', 'each piece gets this many entries of the list, as the lines of $INPUT and of standard input', parseCount)
    ]),
    ...group('Limits and requirements', [
      value('--timeout <seconds>', 'the longest run time of the command, per piece', parseCount),
      value('--complete-timeout <seconds>', 'the longest run time of the complete command, per file', parseCount),
      value('--memory <size>', 'the memory that a command needs, such as 4G', parseLimit),
      value('--scratch <size>', 'the space that a command needs in its working directory, which is in memory', parseLimit),
      many('--need <tool>', 'compute only on machines that have this program, such as ffmpeg', String),
      many('--need-command <cmd>', 'compute only on machines where this command succeeds; bash runs it in the sandbox', String),
      value('--need-cpus <n>', 'compute only on machines with at least this many processors', parseCount),
      many('--arch <name>', 'compute only on this kind of processor, named as by uname -m, such as x86_64', parseArch),
      new Option('--gpu', 'compute only on machines with a GPU, whose users pass --gpu to run').default(false)
    ]),
    ...group('Verifying', [
      new Option('--verify-command <cmd>', 'decides whether a piece, on its standard input, is right: exits with 0 for right, 1 for wrong, anything else for cannot tell. It runs like the command; peers that compute use only what it finds right'),
      value('--verify-timeout <seconds>', 'the longest run time of the verify command (default: as --timeout)', parseCount),
      new Option('--compare-command <cmd>', 'decides whether two results of a piece, the files a and b, are the same; exit codes as above. For results that are never equal byte by byte'),
      new Option('--deterministic', 'the command prints the same bytes on all machines'),
      new Option('--not-deterministic', 'it does not (default: not known)'),
      many('--checker [key]', 'a public key, or its .pub file, whose owner\'s results the task vouches for; without KEY, the key of --sign', text => text).preset('')
    ]),
    ...group('Sharing and signing', [
      many('--announce <url>', 'a tracker of the task', parseAnnounce),
      new Option('--private', 'let peers find each other only through the trackers, not through the DHT, the local network or other peers').default(false),
      new Option('--sign', 'sign the task (see bitworker sign --help)').default(false),
      ...signer()
    ]),
    ...group('Trying and reusing', [
      new Option('--try', 'compute the first piece on this machine, and write the file only if that succeeds (default: ask, at a terminal)'),
      new Option('--no-try', 'do not compute the first piece, and do not ask'),
      new Option('--reuse <task>', 'copy results of this task, which you know to be right for the new one, too'),
      new Option('--reuse-dir <dir>', 'with --reuse: the folder of its files, as in run -o (default: .)'),
      value('--pieces <ranges>', 'with --reuse: only these pieces, such as 0-99,120 (default: all that are stored)', parseRanges),
      new Option('--into <dir>', 'with --reuse: the folder in which you will run the new task (default: .)')
    ]),
    // to look up a link in --input
    ...network().filter(({ long }) => long !== '--announce'),
    ...common()
  ]).addHelpText('after', EXAMPLES.create).action(async (words: string[], flags: CreateFlags) => {
    await (await import('../commands/create.ts')).create(words, flags)
  })
}
