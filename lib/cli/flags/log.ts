/** `bitworker log` and its flags. */
import type { Command } from 'commander'
import { Option } from 'commander'
import type { LogFlags } from '../commands/log.ts'
import { EXAMPLES } from './examples.ts'
import { addOptions, common } from './shared.ts'
import { parseIndex } from './values.ts'

/** Adds the command to the program. */
export function addLog (program: Command): void {
  addOptions(program.command('log').summary('show what became of each piece')
    .description('Shows the attempts at the pieces of a task in a folder, oldest first: when each ended, how long it took, its processor time and memory, its size, how it ended, and where it ran or came from. Contacts no other machine; a run may use the folder meanwhile.')
    .argument('<task>', 'a task file, or the magnet link or info-hash of a task that was run in the folder; or that folder')
    .argument('[piece]', 'only the attempts at this piece, counted from 0, with all that they wrote to stderr', parseIndex), [
    new Option('-o, --output <dir>', 'the folder of the files, as in run -o').default('.'),
    new Option('--failed', 'only the last failure of each piece that is still missing, at each place where it failed').default(false),
    ...common()
  ]).addHelpText('after', EXAMPLES.log).action(async (task: string, piece: number | undefined, flags: LogFlags) => {
    await (await import('../commands/log.ts')).log(task, piece, flags)
  })
}
