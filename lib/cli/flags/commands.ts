/**
 * The commands and their flags only: the code of a command is loaded when it runs, so that `--help` answers at once.
 */
import type { Command } from 'commander'
import { Option } from 'commander'
import type { DoctorFlags } from '../commands/doctor.ts'
import type { InfoFlags } from '../commands/info.ts'
import type { KeygenFlags } from '../commands/keygen.ts'
import type { SealFlags } from '../commands/seal.ts'
import type { SignFlags } from '../commands/sign.ts'
import type { TrackerFlags } from '../commands/tracker.ts'
import type { TrustAddFlags } from '../commands/trust.ts'
import type { TryFlags } from '../commands/try.ts'
import type { VerifyFlags } from '../commands/verify.ts'
import { EXIT } from '../output/failure.ts'
import { addCreate } from './create.ts'
import { EXAMPLES } from './examples.ts'
import { addLog } from './log.ts'
import { addCat, addRun } from './run.ts'
import {
  addOptions,
  bind,
  common,
  confinement,
  group,
  legacySwarm,
  many,
  network,
  signer,
  value
} from './shared.ts'
import { addStatus } from './status.ts'
import {
  parseAnnounce,
  parseCount,
  parseDate,
  parseIndex,
  parseLimit,
  parsePieceLength,
  parsePort,
  parseSize
} from './values.ts'

function addTry (program: Command, done: (exitCode: number) => void): void {
  addOptions(program.command('try').summary('compute one piece here and show the result')
    .description('Computes one piece on this machine, with the sandbox and limits of bitworker run, and shows its output, its stderr, and its cost. Nothing is stored or shared; peers are contacted only to look up a link. The inputs of the task must be in the task file.')
    .argument('[task]', 'a task file, a URL, a magnet link or an info-hash'), [
    value('--piece <n>', 'the piece to compute, counted from 0', parseIndex).default(0),
    new Option('--yes', 'run the command of a task without asking').default(false),
    bind(),
    ...group('Options without a task', [
      new Option('--command <cmd>', 'try this command instead of a task'),
      value('--parts <n>', 'the number of pieces', parseCount),
      value('--piece-length <size>', 'the largest size of a piece (default: 1M)', parsePieceLength),
      value('--timeout <seconds>', 'the longest run time of the command', parseCount),
      value('--memory <size>', 'the memory that it needs', parseLimit),
      value('--scratch <size>', 'the space that it needs in its working directory', parseLimit)
    ]),
    ...confinement(),
    ...network(),
    ...common()
  ]).addHelpText('after', EXAMPLES.try).action(async (task: string | undefined, flags: TryFlags) => {
    done(await (await import('../commands/try.ts')).tryOut(task, flags))
  })
}

function addInfo (program: Command): void {
  addOptions(
    program
      .command('info')
      .summary('show what a task is and what it would run')
      .description(
        'Shows what a task is and what it would run, without running it. A magnet link or an info-hash is looked up in its swarm.'
      )
      .argument('<task>', 'a task file, a URL, a magnet link or an info-hash'),
    [
      value('--timeout <seconds>', 'how long to look up a magnet link or an info-hash', parseCount).default(60),
      new Option('--show-input <name>', 'show only the text of this input, which must be in the task file, with control characters made visible'),
      legacySwarm(),
      ...network(),
      ...common()
    ]
  )
    .addHelpText('after', EXAMPLES.info)
    .action(async (task: string, flags: InfoFlags) => {
      await (await import('../commands/info.ts')).info(task, flags)
    })
}

function addSeal (program: Command): void {
  addOptions(program.command('seal').summary('make an ordinary torrent of a finished task')
    .description('Makes an ordinary torrent of the files of a finished task, which any BitTorrent client can download. The same files give the same torrent on every machine. Runs of the task in that folder seed it, too, now and later.')
    .argument('<task>', 'a task file, or the magnet link or info-hash of a task that was run in the folder'), [
    new Option('-o, --output <file>', 'the torrent file to write, or - for stdout (default: NAME.torrent)'),
    new Option('--dir <dir>', 'the folder of the files, as in run -o').default('.'),
    many('--announce <url>', 'add this tracker', parseAnnounce),
    new Option('--force', 'overwrite an existing file').default(false),
    ...common()
  ]).addHelpText('after', EXAMPLES.seal).action(async (task: string, flags: SealFlags) => {
    await (await import('../commands/seal.ts')).seal(task, flags)
  })
}

function addVerify (program: Command, done: (exitCode: number) => void): void {
  addOptions(program.command('verify').summary('check pieces of a finished task')
    .description('Checks the pieces of a task in a folder, drawn by lot or all, by its verify command or by computing them again on this machine: a finished task, one that is not finished, or a copy of the files and of NAME.results.json. Contacts no other machine.')
    .argument('<task>', 'a task file, or the magnet link or info-hash of a task that was run in the folder'), [
    new Option('-o, --output <dir>', 'the folder of the files, as in run -o').default('.'),
    value('--sample <n>', 'check this many pieces, drawn by lot (default: 60)', parseCount),
    new Option('--all', 'check every piece').default(false),
    new Option('--repair', 'replace wrong and damaged pieces by what this machine computes').default(false),
    value('-j, --slots <n>', 'pieces to compute at the same time (default: one per processor core)', parseCount),
    new Option('--yes', 'run the command without asking').default(false),
    bind(),
    ...confinement(),
    ...common()
  ]).addHelpText('after', EXAMPLES.verify).action(async (task: string, flags: VerifyFlags) => {
    done(await (await import('../commands/verify.ts')).verify(task, flags))
  })
}

function addDoctor (program: Command, done: (exitCode: number) => void): void {
  addOptions(
    program
      .command('doctor')
      .summary('check that this machine can compute tasks')
      .description(
        'Checks the shell, sandbox, ports and peer discovery of this machine, and says how to fix what does not work. Contacts no other machine.'
      ),
    [value('--port <n>', 'the port to listen on; 0 for any free port', parsePort).default(0), ...common()]
  )
    .addHelpText('after', EXAMPLES.doctor)
    .action(async (flags: DoctorFlags) => {
      done(await (await import('../commands/doctor.ts')).doctor(flags))
    })
}

function addTracker (program: Command, done: (exitCode: number) => void): void {
  addOptions(
    program
      .command('tracker')
      .summary('run a tracker and a DHT node for a private swarm')
      .description(
        'Runs a tracker (HTTP, UDP and WebSocket on one port) and a DHT node for bootstrapping, and prints the flags for using them.'
      ),
    [
      value('--port <n>', 'the port of the tracker; 0 for any free port', parsePort).default(8000),
      value('--dht-port <n>', 'the port of the DHT node; 0 for any free port', parsePort).default(20000),
      new Option('--host <address>', 'listen only on this address'),
      ...common()
    ]
  )
    .addHelpText('after', EXAMPLES.tracker)
    .action(async (flags: TrackerFlags) => {
      await (await import('../commands/tracker.ts')).tracker(flags)
      done(EXIT.interrupted)
    })
}

function addKeygen (program: Command): void {
  addOptions(
    program
      .command('keygen')
      .summary('make a key for signing tasks')
      .description(
        'Makes an Ed25519 key pair: a secret key for signing tasks, and a public key for people who trust you.'
      ),
    [
      new Option('-o, --output <file>', 'the file for the secret key (default: ~/.config/bitworker/signing.key)'),
      new Option('--label <name>', 'your name, stored with the public key'),
      new Option('--force', 'overwrite an existing key').default(false),
      ...common()
    ]
  )
    .addHelpText('after', EXAMPLES.keygen)
    .action(async (flags: KeygenFlags) => {
      await (await import('../commands/keygen.ts')).keygen(flags)
    })
}

function addSign (program: Command): void {
  addOptions(program.command('sign').summary('sign a task file')
    .description('Adds your signature to a task file, and prints its magnet link, which contains the signature as well.')
    .argument('<file>', 'a task file'), [
    ...signer(),
    new Option('-o, --output <file>', 'the signed task file to write (default: replace the original)'),
    new Option('--force', 'overwrite an existing file').default(false),
    ...common()
  ]).addHelpText('after', EXAMPLES.sign).action(async (file: string, flags: SignFlags) => {
    await (await import('../commands/sign.ts')).sign(file, flags)
  })
}

function addTrust (program: Command): void {
  const trust = program.command('trust').summary('manage the keys whose tasks start without asking')
    .description('Manages the keys whose tasks start without asking, and those whose tasks never start.')
    .addHelpText('after', EXAMPLES.trust)
  addOptions(
    trust
      .command('add')
      .summary('trust a key, or deny it')
      .description('Trusts a key within limits, or denies it. A key that is already listed gets the new limits.')
      .argument('<key>', 'a public key (64 hex digits) or its .pub file'),
    [
      new Option('--label <name>', 'your name for the owner of the key'),
      new Option('--deny', 'never run tasks signed by this key, even if others signed them, too').default(false),
      value('--expires <date>', 'trust the key until the start of this day (UTC), such as 2027-01-31', parseDate),
      value('--max-hours <n>', 'trust tasks that take at most this long, as the sum of all commands', parseCount),
      value('--max-size <size>', 'trust tasks whose files are at most this large, such as 10G', parseSize),
      value('--max-input <size>', 'trust tasks whose inputs, without those in the task file, are at most this large', parseSize),
      value('--max-memory <size>', 'trust tasks that ask for at most this much memory', parseLimit),
      value('--max-scratch <size>', 'trust tasks that ask for at most this much space in their working directory', parseLimit),
      new Option('--gpu', 'trust tasks that use a GPU, too').default(false),
      ...common()
    ]
  ).action(async (key: string, flags: TrustAddFlags) => {
    await (await import('../commands/trust.ts')).trustAdd(key, flags)
  })
  addOptions(trust.command('list').summary('show the keys').description('Shows the keys with their limits.'), common())
    .action(async (flags: { json: boolean }) => { await (await import('../commands/trust.ts')).trustList(flags) })
  addOptions(
    trust
      .command('remove')
      .summary('forget a key')
      .description('Forgets a key: its tasks no longer start without asking.')
      .argument('<key>', 'the public key, its label, or its .pub file'),
    common()
  ).action(async (key: string, flags: { json: boolean }) => {
    await (await import('../commands/trust.ts')).trustRemove(key, flags)
  })
}

/**
 * Adds every command to the program.
 * @param done receives the exit code of a command that can succeed with several
 */
export function addCommands (program: Command, done: (exitCode: number) => void): void {
  addCreate(program)
  addTry(program, done)
  addRun(program, done)
  addCat(program, done)
  addInfo(program)
  addLog(program)
  addStatus(program)
  addVerify(program, done)
  addSeal(program)
  addKeygen(program)
  addSign(program)
  addTrust(program)
  addTracker(program, done)
  addDoctor(program, done)
}
