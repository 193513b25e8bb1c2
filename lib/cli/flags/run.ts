/** `bitworker run` and `cat`, which take part in a task, and their flags. */
import type { Command } from 'commander'
import { Option } from 'commander'
import type { CatFlags } from '../commands/cat.ts'
import type { RunFlags } from '../commands/run.ts'
import { EXAMPLES } from './examples.ts'
import { machine, parseSlots } from './machine.ts'
import { addOptions, bind, common, confinement, group, legacySwarm, many, network, value } from './shared.ts'
import { parseAmount, parseHalt, parsePageAddress, parseSize } from './values.ts'

const inputs = (): Option[] => group('Input options', [
  bind(),
  value('--max-input <size>', 'do not compute a task, or a piece, that needs more input than this', parseSize)
    .default(10 * 1024 ** 3, '10G'),
  many('--input-from <path>', 'look for inputs in this file or folder before downloading them; it is only read', String),
  new Option('--cache <dir>', 'the folder for downloaded inputs (default: ~/.cache/bitworker)'),
  value('--cache-size <size>', 'the most that unused inputs may take up there (default: 50G)', parseSize),
  new Option('--seed-inputs', 'download all inputs and seed them, even if nothing is computed here').default(false)
])

const verifying = (): Option[] => group('Results of other peers', [
  new Option('--verify <policy>', 'which of them to accept: off (what anybody announced), audit or audit=1% (checked by lot), quorum=2 (attested by so many), trust or trust=KEY (of trusted peers), all (none that is not computed here). Default: all with a verify command, else audit; with --no-compute, trust if a key is named, else off'),
  new Option('--member <file>', 'be a member of this secret key (see bitworker keygen), and trust its other members'),
  new Option('--members-only', 'refuse peers that are no members of a trusted key').default(false),
  many('--checker <key>', 'trust the members of this public key (64 hex digits, or its .pub file)', String),
  new Option('--no-checkers', 'do not trust the members of the keys that the task names'),
  new Option('--key <file>', 'sign results with this secret key instead of one for this task only')
])

const finishing = (): Option[] => group('When done', [
  new Option('--exit', 'exit when other peers have the pieces that only this one has, instead of seeding until interrupted').default(false),
  value('--seed-time <minutes>', 'seed for this long, then exit', parseAmount),
  value('--seed-ratio <ratio>', 'seed until this many times the size of the files has been uploaded, then exit', parseAmount),
  new Option('--seal', 'also seed the files as an ordinary torrent, for other BitTorrent clients (see bitworker seal --help)').default(false),
  new Option('--agree', 'with --seal: of each piece whose results differ, first take the one with the lowest digest that a connected peer has; any peer can so replace results').default(false),
  new Option('--on-done <cmd>', 'run this command of yours, outside the sandbox, when the task is done; TASK (the info-hash), NAME and DIR are in its environment'),
  new Option('--on-exit <cmd>', 'run this one before the run exits; it also sees EXIT_CODE'),
  new Option('--partial', 'if the run ends early, make a file NAME.partial of the stored parts of each unfinished file').default(false)
])

/** Adds `run`. */
export function addRun (program: Command, done: (exitCode: number) => void): void {
  addOptions(program.command('run').summary('compute a task together with other peers')
    .description('Joins the swarm of a task: downloads the pieces that other peers have computed, and computes those that are missing. Shows the command and asks before running it.')
    .argument('<task>', 'a task file, a URL, a magnet link or an info-hash'), [
    new Option('-o, --output <dir>', 'the folder for the files').default('.'),
    value('-j, --slots <n>', 'pieces to compute at the same time, or a share of the processor cores such as 80% (default: one per core)', parseSlots),
    new Option('--yes', 'run the command without asking').default(false),
    new Option('--no-compute', 'do not run the command; download only what others compute'),
    new Option('--complete', 'run the complete command, even if the task leaves that to its author'),
    new Option('--force', 'overwrite files that are in the way').default(false),
    legacySwarm(),
    new Option('--retry-failed', 'compute only the missing pieces whose failures are logged in the folder (see bitworker log --failed)').default(false),
    value('--halt <when,fail=n>', 'end the run when n pieces (or n% of all) have failed here: now, which kills running commands, or soon, when they have ended', parseHalt),
    new Option('--joblog <file>', 'append a line for each piece to this file, in the columns of GNU parallel'),
    value('--ui [address:port]', 'serve a web page that shows and steers the run, and print its link (default address: 127.0.0.1, any free port)', parsePageAddress).preset('127.0.0.1:0'),
    new Option('-v, --verbose', 'show the stderr of all commands, not only of failed ones').default(false),
    ...verifying(),
    ...finishing(),
    ...inputs(),
    ...machine(),
    ...confinement(),
    ...network(),
    ...common()
  ]).addHelpText('after', EXAMPLES.run).action(async (task: string, flags: RunFlags) => {
    done(await (await import('../commands/run.ts')).run(task, flags))
  })
}

/** Adds `cat`. */
export function addCat (program: Command, done: (exitCode: number) => void): void {
  addOptions(program.command('cat').summary('write the output of a task to stdout while it is computed')
    .description('Writes the files of a task to stdout, in order, as a peer that computes and downloads what is read first. Where a client runs the task in the folder, or has finished it there, its files are read instead. Shows the command and asks before running it.')
    .argument('<task>', 'a task file, a URL, a magnet link or an info-hash')
    .argument('[file]', 'one of its files (default: all, one after the other)'), [
    new Option('-o, --output <dir>', 'the folder for the files').default('.'),
    value('-j, --slots <n>', 'pieces to compute at the same time, or a share of the processor cores such as 80% (default: one per core)', parseSlots),
    new Option('--yes', 'run the command without asking').default(false),
    new Option('--no-compute', 'do not run the command; read only what others compute'),
    new Option('--complete', 'run the complete command, even if the task leaves that to its author'),
    new Option('--force', 'overwrite files that are in the way').default(false),
    legacySwarm(),
    new Option('-v, --verbose', 'show the stderr of all commands, not only of failed ones').default(false),
    ...verifying(),
    ...inputs(),
    ...machine(),
    ...confinement(),
    ...network(),
    ...common().filter(({ long }) => long !== '--json')
  ]).addHelpText('after', EXAMPLES.cat).action(async (task: string, file: string | undefined, flags: CatFlags) => {
    done(await (await import('../commands/cat.ts')).cat(task, file, flags))
  })
}
