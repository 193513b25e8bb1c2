/** How far the work is: a live view on a terminal, else a plain line for each tenth. */
import { styleText } from 'node:util'
import { createLogUpdate } from 'log-update'
import { formatBar } from '../../lib/cli/output/format.ts'

const BAR_CELLS = 40

/** What is shown. */
export interface View {
  /** pieces */
  done: number
  total: number
  /** milliseconds */
  elapsed: number
  /** one line each, on a terminal only */
  details: string[]
}

/** Somewhere to show it. */
export interface Screen {
  /** a line that stays */
  note (text: string): void
  show (view: View): void
  /** the work ends, and with it the live view */
  end (): void
}

/** The screen that fits stdout. */
export function openScreen (): Screen {
  return process.stdout.isTTY ? new LiveScreen() : new PlainScreen()
}

function summary ({ done, total, elapsed }: View): string {
  return `${Math.floor(done / total * 100)} %  ${done}/${total} pieces  ${(elapsed / 1000).toFixed(1)} s`
}

class LiveScreen implements Screen {
  // A terminal without a size, as containers make them, says 0 columns.
  readonly #log = createLogUpdate(
    Object.assign(process.stdout, process.stdout.columns ? {} : { columns: 80, rows: 24 })
  )

  note (text: string): void {
    this.#log.persist(text)
  }

  show (view: View): void {
    const bar = styleText('cyan', formatBar(view.done / view.total, BAR_CELLS))
    this.#log([`${bar} ${summary(view)}`, ...view.details.map(line => `  ${line}`)].join('\n'))
  }

  end (): void {
    this.#log.done()
  }
}

class PlainScreen implements Screen {
  #tenth = 0

  note (text: string): void {
    console.log(text)
  }

  show (view: View): void {
    const tenth = Math.floor(view.done / view.total * 10)
    if (tenth <= this.#tenth) return
    this.#tenth = tenth
    this.note(`  ${summary(view)}`)
  }

  end (): void {
    this.#tenth = 0
  }
}
