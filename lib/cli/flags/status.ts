/** The flags of the commands that look at a folder, and at the clients that run its tasks. */
import type { Command } from 'commander'
import { Option } from 'commander'
import type { StatusFlags } from '../commands/status.ts'
import { EXAMPLES } from './examples.ts'
import { addOptions, common } from './shared.ts'

const TARGET = 'a folder, or a task file, magnet link or info-hash (default: this folder)'

const options = (): Option[] => [
  new Option('-o, --output <dir>', 'the folder of the files of a task, as in bitworker run').default('.'),
  ...common()
]

const STEER = [
  ['pause', 'pause a run that goes on elsewhere', 'Suspends the running pieces of a client that runs in another terminal, and starts no others. It still downloads and seeds.'],
  ['resume', 'let a paused run go on', 'Lets a paused client go on. Also takes back bitworker finish, while pieces are still running.'],
  ['finish', 'let a run end its running pieces, then stop', 'Starts no more pieces, and stops the client when the running ones have ended and other peers have what only it has.']
] as const

/** Adds `status`, `pause`, `resume` and `finish`. */
export function addStatus (program: Command): void {
  addOptions(program.command('status').summary('show how far the tasks in a folder are')
    .description('Shows how far the tasks in a folder are, without joining their swarms; of a client that is running also what it does now.')
    .argument('[target]', TARGET), options())
    .addHelpText('after', EXAMPLES.status).action(async (target: string | undefined, flags: StatusFlags) => {
      await (await import('../commands/status.ts')).status(target, flags)
    })
  for (const [name, summary, description] of STEER) {
    addOptions(program.command(name).summary(summary).description(description).argument('[target]', TARGET), options())
      .addHelpText('after', EXAMPLES[name]).action(async (target: string | undefined, flags: StatusFlags) => {
        await (await import('../commands/status.ts')).steer(name, target, flags)
      })
  }
}
