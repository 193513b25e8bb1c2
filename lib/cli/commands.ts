/**
 * The commands and flags, and nothing else: what a command does is loaded only when it runs, so that `--help`
 * answers at once.
 */
import type { Command } from 'commander'
import { Option } from 'commander'
import { EXAMPLES } from './examples.ts'
import { EXIT } from './failure.ts'
import {
  collect, parseAnnounce, parseBind, parseCount, parseFileParts, parseHostPort, parsePieceLength, parsePort, parseRate
} from './options.ts'
import type { CreateFlags } from './create.ts'
import type { InfoFlags } from './info.ts'
import type { RunFlags } from './run.ts'
import type { TrackerFlags } from './tracker.ts'

/** A flag that may be repeated. */
function many (flags: string, description: string, parse: (text: string) => unknown): Option {
  return new Option(flags, `${description} (may be repeated)`).argParser(collect(parse)).default([])
}

function value (flags: string, description: string, parse: (text: string) => unknown): Option {
  return new Option(flags, description).argParser(parse)
}

function addOptions (command: Command, options: Option[]): Command {
  for (const option of options) command.addOption(option)
  return command
}

const common = (): Option[] => [
  new Option('--json', 'one JSON object a line on stdout, everything for people on stderr').default(false),
  new Option('--debug', 'show the stack of an error').default(false)
]

const network = (): Option[] => [
  many('--peer <host:port>', 'connect to this peer', parseHostPort),
  many('--announce <url>', 'also use this tracker', parseAnnounce),
  value('--port <n>', 'the port to listen on, 0 for any free one', parsePort).default(0),
  new Option('--no-dht', 'do not use the DHT'),
  many('--dht-bootstrap <host:port>', 'join the DHT through this node instead of the public ones', parseHostPort),
  new Option('--no-lsd', 'do not look for peers on the local network'),
  new Option('--no-nat', 'do not ask the router to open the port'),
  new Option('--no-tracker', 'do not use trackers'),
  new Option('--no-utp', 'do not use uTP'),
  value('--download-limit <rate>', 'bytes a second, such as 500K or 2M', parseRate),
  value('--upload-limit <rate>', 'bytes a second, such as 500K or 2M', parseRate)
]

function addCreate (program: Command): void {
  addOptions(program.command('create').summary('make a task file')
    .description('Makes a task file: a command that runs once for every piece, with PIECE_IDX, FILE_IDX and PART_IDX in its environment; its standard output is the piece.'), [
    new Option('--name <name>', 'the name of the task: of its file, or with --file of its folder (required)'),
    new Option('--command <cmd>', 'run by bash once for every piece (required)'),
    value('--parts <n>', 'the number of pieces, all of one file', parseCount),
    many('--file <path:parts>', 'a file of the task and the number of its pieces', parseFileParts),
    value('--piece-length <size>', 'what a piece may have at most, such as 64K or 4M (default: 1M)', parsePieceLength),
    new Option('--complete-command <cmd>', 'run by bash once for every file when its parts are there; writes $FILE from $PART_LIST'),
    value('--timeout <seconds>', 'the longest a piece may take', parseCount),
    many('--announce <url>', 'a tracker of the task', parseAnnounce),
    new Option('--comment <text>', 'a line for whoever considers running it'),
    new Option('-o, --output <file>', 'where to write it (default: NAME.bitworker)'),
    new Option('--force', 'overwrite a file that is there').default(false),
    ...common()
  ]).addHelpText('after', EXAMPLES.create).action(async (flags: CreateFlags) => {
    await (await import('./create.ts')).create(flags)
  })
}

function addRun (program: Command, done: (exitCode: number) => void): void {
  addOptions(program.command('run').summary('compute a task together with its other peers')
    .description('Joins the swarm of a task: downloads the pieces others have computed and computes those nobody has. Shows the command and asks before it runs it.')
    .argument('<task>', 'a task file, a URL, a magnet link or an info-hash'), [
    new Option('-o, --output <dir>', 'the folder for the files').default('.'),
    value('-j, --slots <n>', 'how many pieces to compute at a time (default: one for each core)', parseCount),
    new Option('--yes', 'run the command without asking').default(false),
    new Option('--no-compute', 'run nothing, only download what others computed'),
    new Option('--exit', 'leave when done instead of seeding until interrupted').default(false),
    many('--bind <path[:name]>', 'a file or folder of this machine that the command sees in its working folder', parseBind),
    new Option('--force', 'overwrite files that are in the way').default(false),
    ...network(),
    ...common()
  ]).addHelpText('after', EXAMPLES.run).action(async (task: string, flags: RunFlags) => {
    done(await (await import('./run.ts')).run(task, flags))
  })
}

function addInfo (program: Command): void {
  addOptions(program.command('info').summary('show what a task is and what it would run')
    .description('Shows what a task is and what it would run, without running it. A magnet link or an info-hash is looked up in its swarm.')
    .argument('<task>', 'a task file, a URL, a magnet link or an info-hash'), [
    value('--timeout <seconds>', 'how long to look for a magnet link or an info-hash', parseCount).default(60),
    ...network(),
    ...common()
  ]).addHelpText('after', EXAMPLES.info).action(async (task: string, flags: InfoFlags) => {
    await (await import('./info.ts')).info(task, flags)
  })
}

function addTracker (program: Command, done: (exitCode: number) => void): void {
  addOptions(program.command('tracker').summary('run a tracker and a DHT node for a private swarm')
    .description('Runs a tracker (HTTP, UDP and WebSocket on one port) and a DHT node to bootstrap from, and prints the flags to use them.'), [
    value('--port <n>', 'the port of the tracker, 0 for any free one', parsePort).default(8000),
    value('--dht-port <n>', 'the port of the DHT node, 0 for any free one', parsePort).default(20000),
    new Option('--host <address>', 'listen on this address only'),
    ...common()
  ]).addHelpText('after', EXAMPLES.tracker).action(async (flags: TrackerFlags) => {
    await (await import('./tracker.ts')).tracker(flags)
    done(EXIT.interrupted)
  })
}

/**
 * Adds every command to the program.
 * @param done takes the exit code of a command that has more than one good end
 */
export function addCommands (program: Command, done: (exitCode: number) => void): void {
  addCreate(program)
  addRun(program, done)
  addInfo(program)
  addTracker(program, done)
}
