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

/** For every command. */
export const common = (): Option[] => [
  new Option('--json', 'print one JSON object per line on stdout, and text for people on stderr').default(false),
  new Option('--debug', 'show the stack trace of an error').default(false)
]

/** For commands that look for peers. */
export const network = (): Option[] => [
  many('--peer <host:port>', 'connect to this peer', parseHostPort),
  many('--announce <url>', 'also use this tracker', parseAnnounce),
  value('--port <n>', 'the port to listen on; 0 for any free port', parsePort).default(0),
  new Option('--no-dht', 'do not use the DHT'),
  many('--dht-bootstrap <host:port>', 'join the DHT through this node instead of the public ones', parseHostPort),
  new Option('--no-lsd', 'do not look for peers on the local network'),
  new Option('--no-nat', 'do not ask the router to open the port'),
  new Option('--no-tracker', 'do not use trackers'),
  new Option('--no-utp', 'do not use uTP'),
  value('--download-limit <rate>', 'bytes per second, such as 500K or 2M', parseRate),
  value('--upload-limit <rate>', 'bytes per second, such as 500K or 2M', parseRate)
]

/** For commands that sign. */
export const signer = (): Option[] => [
  new Option('--key <file>', 'the secret key file (default: signing.key in ~/.config/bitworker)'),
  new Option('--label <name>', 'your name, as others see it')
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
    'show a file or folder of this machine to the command, in its working folder; all peers must bind the same contents, which BitWorker does not check',
    parseBind
  )

/** The limits of a command (lib/executor/limits.ts). */
export const confinement = (): Option[] => [
  new Option('--sandbox <kind>', 'the sandbox to use; without one, nothing is computed')
    .choices(['auto', 'bwrap', 'landlock', 'none'])
    .default('auto'),
  new Option(
    '--unsafe-no-sandbox',
    'run the command with all your rights: it can read and delete your files and use your network'
  ).default(false),
  new LimitOption(
    '--max-time <seconds>',
    'timeoutMs',
    'longest run time of a command, whatever the task asks for (default: 3600, or what the task asks for, up to a day)',
    parseSeconds
  ),
  new LimitOption(
    '--max-cpu <seconds>',
    'cpuMs',
    'processor time per process of a command (default: four times its longest run time)',
    parseSeconds
  ),
  new LimitOption('--max-memory <size>', 'memoryBytes', 'memory for a command (default: 2G)', parseLimit),
  new LimitOption('--max-processes <n>', 'processes', 'processes per command (default: 128)', parseCount),
  new LimitOption('--max-open-files <n>', 'openFiles', 'open files per process (default: 256)', parseCount),
  new LimitOption(
    '--max-scratch <size>',
    'scratchBytes',
    'space in the folder of a command, which is in memory (default: 512M)',
    parseLimit
  ),
  new LimitOption(
    '--max-file <size>', 'fileBytes', 'space for the output of a complete command (default: 16G)', parseLimit
  )
]
