/** From arguments to an exit code. */
import { Command, CommanderError } from 'commander'
import type { Option } from 'commander'
import { version } from '../version.ts'
import { addCommands } from './flags/commands.ts'
import { EXIT, ExitError, report } from './output/failure.ts'

const DESCRIPTION = 'A BitTorrent swarm that computes: share a command, and every peer helps.'
const AFTER_HELP = `
Exit codes:
  0    done
  1    the work failed
  2    wrong usage, refusal or bad input
  3    wrong results were found
  130  interrupted

Environment:
  DEBUG=bitworker:*  print a trace of internal events to stderr; or one area of it:
                     bitworker:scheduling, :claims, :downloads, :store,
                     :executor, :discovery, :inputs`

/** Runs the command line (without node and script name). Resolves with its exit code, and never rejects. */
export async function main (args: string[]): Promise<number> {
  let exitCode: number = EXIT.done
  try {
    await buildProgram(code => { exitCode = code }).parseAsync(withLists(args), { from: 'user' })
    return exitCode
  } catch (error) {
    const isAnswer = error instanceof CommanderError && error.exitCode === 0
    // Commander prints the help by itself if the command is missing.
    if (isAnswer) return EXIT.done
    if (error instanceof CommanderError && error.code === 'commander.help') return EXIT.refused
    const shown =
      error instanceof CommanderError
        ? new ExitError(EXIT.refused, 'BW_ERR_USAGE', restate(error.message, args))
        : error
    return report(shown, { json: args.includes('--json'), debug: args.includes('--debug'), command: args[0] })
  }
}

/** Everything after the first `:::` is a value, even if it begins with a dash. */
function withLists (args: string[]): string[] {
  const at = args.indexOf(':::')
  return at === -1 || args.slice(0, at).includes('--') ? args : args.toSpliced(at, 0, '--')
}

function buildProgram (done: (exitCode: number) => void): Command {
  const program = new Command('bitworker')
    .description(DESCRIPTION)
    .version(version, '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [command]', 'show the help of a command')
    .addHelpText('after', AFTER_HELP)
    .exitOverride()
    // Errors are reported once, by main().
    .configureOutput({ outputError: () => {} })
    .configureHelp({ optionDescription: describeOption })
  addCommands(program, done)
  return program
}

function describeOption ({ description, defaultValue, defaultValueDescription }: Option): string {
  const isPlain = typeof defaultValue === 'string' || typeof defaultValue === 'number'
  return isPlain ? `${description} (default: ${defaultValueDescription ?? defaultValue})` : description
}

// Turns commander's "error: …\n(Did you mean --x?)" into one line of sentences that ends with what to do.
function restate (message: string, args: string[]): string {
  const [what = '', suggestion] = message.trim().replace(/^error: /, '').split('\n')
  const hint = suggestion?.replace(/^\((.*)\)$/, '$1')
  const command =
    args[0] !== undefined && /^[a-z]+$/.test(args[0]) && hint === undefined && !what.startsWith('unknown command')
      ? `bitworker ${args[0]}`
      : 'bitworker'
  return `${what[0]?.toUpperCase() ?? ''}${what.slice(1).replace(/\.$/, '')}. ${hint ?? `See ${command} --help.`}`
}
