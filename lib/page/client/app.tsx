/**
 * All of the page, from the top down.
 */
import { useComputed, useSignalEffect } from '@preact/signals'
import type { JSX } from 'preact'
import { CopiesBar, Legend, PieceBar } from './bar.tsx'
import { formatPercent, harmless } from './format.ts'
import { Header } from './header.tsx'
import { Invite } from './invite.tsx'
import { PieceMap } from './map.tsx'
import { Peers } from './peers.tsx'
import { PiecePanel } from './piece.tsx'
import { Rates } from './rates.tsx'
import { Result } from './result.tsx'
import { isMapOpen, link, live, problem, selected, spoken, task } from './store.ts'
import { Section, Text, isNarrow } from './text.tsx'
import { Messages, Work } from './work.tsx'

const LINKS = {
  connecting: null,
  open: null,
  lost: 'The client does not answer. This page tries again; what you see may be old.',
  ended: 'The client has ended. Start it again to go on; what you see is its last word.',
  refused: 'This link is not valid: BitWorker prints a new one each time it starts. Open that one.'
}

function Pieces ({ pieces }: { pieces: number }): JSX.Element {
  return (
    <section class="card pieces" aria-labelledby="pieces">
      <div class="title">
        <h2 id="pieces">Pieces</h2>
        <button type="button" aria-expanded={isMapOpen.value} onClick={() => { isMapOpen.value = !isMapOpen.value }}>
          {isMapOpen.value ? 'Hide the map' : 'Show the map'}
        </button>
      </div>
      <PieceBar from={0} to={pieces} />
      <CopiesBar from={0} to={pieces} />
      <Legend />
      <p class="note faint">The thin line below the bar: copies among connected peers, five or more at full height.</p>
      {isMapOpen.value ? <PieceMap pieces={pieces} /> : null}
    </section>
  )
}

function Commands (): JSX.Element {
  const { command, completeCommand, comment, infoHash, verifying } = task.value!
  return (
    <Section title="Task" isFolded={isNarrow()}>
      {comment === null ? null : <p><Text of={comment} /></p>}
      <h3>Command of a piece</h3>
      <pre dir="auto" tabIndex={0} role="region" aria-label="Command of a piece">{harmless(command)}</pre>
      {completeCommand === null
        ? null
        : <><h3>Complete command</h3><pre dir="auto" tabIndex={0} role="region" aria-label="Complete command">{harmless(completeCommand)}</pre></>}
      <p class="note">Results of others: {verifying === null ? 'not verified' : <>verified by <Text of={verifying} /></>}. Info-hash: <code class="digest">{infoHash}</code></p>
    </Section>
  )
}

function Shown (): JSX.Element {
  const pieces = useComputed(() => task.value!.pieces.pieces).value
  return (
    <>
      <Header />
      <Pieces pieces={pieces} />
      {selected.value === null ? null : <PiecePanel piece={selected.value} />}
      <div class="columns">
        <div><Result /><Work /><Commands /></div>
        <div><Invite /><Rates /><Messages /></div>
      </div>
      <Peers />
    </>
  )
}

export function App (): JSX.Element {
  useSignalEffect(() => {
    const counts = live.value?.pieces
    document.title = counts === undefined
      ? 'BitWorker'
      : `${formatPercent(counts.stored, counts.pieces)} · ${harmless(task.value?.name ?? '')}`
  })
  const word = LINKS[link.value]
  return (
    <main>
      <div class="hidden" role="status" aria-live="polite">{harmless(spoken.value)}</div>
      {word === null ? null : <p class="banner" role="alert">{word}</p>}
      {problem.value === null ? null : <p class="banner" role="alert"><Text of={problem.value} /></p>}
      {task.value === null || live.value === null
        ? link.value === 'connecting' || link.value === 'open' ? <><h1 class="hidden">BitWorker</h1><p class="loading">Asking the client…</p></> : <h1 class="hidden">BitWorker</h1>
        : <Shown />}
    </main>
  )
}
