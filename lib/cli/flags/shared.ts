/** Flags that several commands share, and functions to define flags. */
import type { Command } from 'commander'
import { Option } from 'commander'
import type { Limits } from '../../executor/limits.ts'
import {
  collect,
  parseAnnounce,
  parseBind,
  parseCount,
  parseHostPort,
  parseLimit,
  parsePort,
  parseRate,
  parseSeconds
} from './values.ts'

/** A flag that may be repeated. */
export function many (flags: string, description: string, parse: (text: string) => unknown): Option {
  return new Option(flags, `${description} (may be repeated)`).argParser(collect(parse)).default([])
}

/** A flag with a value. */
export function value (flags: string, description: string, parse: (text: string) => unknown): Option {
  return new Option(flags, description).argParser(parse)
}

/** A flag for a limit of a command: all of them together form `limits`, an option of the client. */
class LimitOption extends Option {
  constructor (flags: string, name: keyof Limits, description: string, parse: (text: string) => number) {
    super(flags, description)
    this.argParser((text: string, others: Partial<Limits>): Partial<Limits> => ({ ...others, [name]: parse(text) }))
  }

  override attributeName (): string { return 'limits' }
}

/** Adds the flags to the command, in this order. */
export function addOptions (command: Command, options: Option[]): Command {
  for (const option of options) command.addOption(option)
  return command
}

/** Puts the flags under a heading of the help. */
export function group (heading: string, options: Option[]): Option[] {
  return options.map(option => option.helpGroup(`${heading}:`))
}

/** For every command. */
export const common = (): Option[] => [
  new Option('--json', 'print one JSON object per line on stdout, and all other text on stderr').default(false),
  new Option('--debug', 'show the stack trace of an error').default(false)
]

/** For commands that look for peers. */
export const network = (): Option[] => group('Network options', [
  many('--peer <host:port>', 'connect to this peer', parseHostPort),
  many('--announce <url>', 'also use this tracker', parseAnnounce),
  value('--port <n>', 'the port to listen on; 0 for any free port', parsePort).default(0),
  value('--download-limit <rate>', 'limit the download speed, in bytes per second, such as 500K or 2M', parseRate),
  value('--upload-limit <rate>', 'limit the upload speed, in the same way', parseRate),
  new Option('--no-tracker', 'do not use trackers'),
  new Option('--no-dht', 'do not use the DHT'),
  many('--dht-bootstrap <host:port>', 'join the DHT through this node instead of the public ones', parseHostPort),
  new Option('--no-lsd', 'do not look for peers on the local network'),
  new Option('--no-nat', 'do not ask the router to open the port'),
  new Option('--no-utp', 'do not use uTP')
])

/** For commands that sign. */
export const signer = (): Option[] => [
  new Option('--key <file>', 'the file of your secret key (default: ~/.config/bitworker/signing.key)'),
  new Option('--label <name>', 'your name, as others will see it')
]

/** For commands that read task files of 2014. */
export const legacySwarm = (): Option =>
  new Option('--legacy-swarm', 'join the original swarm of a 2014 task file instead of converting the file').default(
    false
  )

/** For commands that run a task's command. */
export const bind = (): Option =>
  many(
    '--bind <path[:name]>',
    'let the command read this file or folder, in its working directory; all peers must bind the same contents, which BitWorker does not check',
    parseBind
  )

/** The limits of a command (lib/executor/limits.ts). */
export const confinement = (): Option[] => group('Sandbox and limits', [
  new Option('--sandbox <kind>', 'the sandbox to use: auto, bwrap, landlock or none; without one, nothing is computed')
    .choices(['auto', 'bwrap', 'landlock', 'none'])
    .default('auto'),
  new Option(
    '--unsafe-no-sandbox',
    'run the command with all your permissions: it can read and delete your files, and use your network'
  ).default(false),
  new Option('--gpu', 'let tasks that need a GPU use those of this machine; the command then talks to their drivers').default(false),
  new LimitOption(
    '--max-time <seconds>',
    'timeoutMs',
    'the longest run time of a command (default: 3600, or what the task asks for, up to a day)',
    parseSeconds
  ),
  new LimitOption(
    '--max-cpu <seconds>',
    'cpuMs',
    'processor time for each process of a command (default: four times --max-time)',
    parseSeconds
  ),
  new LimitOption('--max-memory <size>', 'memoryBytes', 'memory for a command (default: 2G)', parseLimit),
  new LimitOption('--max-processes <n>', 'processes', 'processes for a command (default: 128)', parseCount),
  new LimitOption('--max-open-files <n>', 'openFiles', 'open files for each process (default: 256)', parseCount),
  new LimitOption(
    '--max-scratch <size>',
    'scratchBytes',
    'space in the working directory of a command, which is in memory (default: 512M)',
    parseLimit
  ),
  new LimitOption(
    '--max-file <size>', 'fileBytes', 'the largest file that a complete command may write (default: 16G)', parseLimit
  )
])
