/**
 * The panel of one piece: why it is as it is, who has it, what was tried, what can be done.
 */
import { useSignal } from '@preact/signals'
import type { ComponentChildren, JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import { PIECE_STATES } from '../piece-states.ts'
import type { AttemptView, PieceView } from '../snapshot.ts'
import { Swatch } from './bar.tsx'
import { act, fetchPiece } from './connection.ts'
import { formatBytes, formatCount, formatDuration, harmless } from './format.ts'
import { LOOKS } from './states.ts'
import { previewed, selected, statesNow, statesVersion, task } from './store.ts'
import { Text } from './text.tsx'
import { outcomeOf } from './words.ts'

const AGAIN_MS = 3000
const STORED = new Set(['stored', 'own', 'accepted', 'verified', 'disputed'])

function Fact ({ term, children }: { term: string, children: ComponentChildren }): JSX.Element {
  return <div><dt>{term}</dt><dd>{children}</dd></div>
}

function Attempt ({ of }: { of: AttemptView }): JSX.Element {
  const { at, event, cpuMs, memoryBytes, stderr, final } = of
  const parts = [
    new Date(at).toLocaleTimeString(),
    ...cpuMs === undefined ? [] : [`${formatDuration(cpuMs)} of CPU`],
    ...memoryBytes === undefined ? [] : [`${formatBytes(memoryBytes)} of memory`],
    ...final === true ? ['given up here'] : []
  ]
  return (
    <li class={event === 'failed' || event === 'peerFailed' ? 'failure' : ''}>
      <Text of={outcomeOf(of)} />
      <small>{parts.join(' · ')}</small>
      {stderr === undefined || stderr === '' ? null : <pre dir="auto">{harmless(stderr.trimEnd())}</pre>}
    </li>
  )
}

function Names ({ of }: { of: string[] }): JSX.Element {
  return <>{of.map((name, i) => <span key={name}>{i > 0 ? ', ' : ''}<Text of={name} /></span>)}</>
}

function Facts ({ of }: { of: PieceView }): JSX.Element {
  const { size, sha256, standing, copies, holders, attesters, claims, running } = of
  const more = copies - holders.length - (STORED.has(of.state) ? 1 : 0)
  return (
    <dl class="facts">
      {running === null ? null : <Fact term="Running here">for {formatDuration(Date.now() - running.since)}{running.estimateMs === null ? '' : ` of about ${formatDuration(running.estimateMs)}`}</Fact>}
      {claims.map(({ peer, since, isRespected }) => (
        <Fact key={peer} term="Computed by"><Text of={peer} /> for {formatDuration(Date.now() - since)}{isRespected ? '' : ' (not believed)'}</Fact>
      ))}
      <Fact term="Copies">{copies === 0 ? 'none' : formatCount(copies)}{holders.length > 0 ? <>: <Names of={holders} />{more > 0 ? ` and ${more} more` : ''}</> : null}</Fact>
      {size === null ? null : <Fact term="Size">{formatBytes(size)}</Fact>}
      {standing === null ? null : <Fact term="Accepted as"><Text of={standing} /></Fact>}
      {attesters.length === 0 ? null : <Fact term="Attested by"><Names of={attesters} /></Fact>}
      {sha256 === null ? null : <Fact term="SHA-256"><code class="digest">{sha256}</code></Fact>}
    </dl>
  )
}

function Actions ({ of: { piece, state, file, isUrgent } }: { of: PieceView }): JSX.Element | null {
  const isStored = STORED.has(state)
  const canOpen = task.value!.files[file]?.preview != null
  const open = (): void => {
    previewed.value = file
    document.getElementById('result')?.scrollIntoView({ block: 'start' })
  }
  return (
    <div class="buttons">
      {state === 'failed' ? <button type="button" class="main" onClick={() => { void act({ do: 'retry', piece }) }}>Retry here</button> : null}
      {isStored || state === 'running'
        ? null
        : <button type="button" disabled={isUrgent} onClick={() => { void act({ do: 'first', piece }) }}>
            {isUrgent ? 'Goes first' : 'Get it first'}
          </button>}
      {canOpen ? <button type="button" onClick={open}>Open its file</button> : null}
    </div>
  )
}

export function PiecePanel ({ piece }: { piece: number }): JSX.Element {
  const view = useSignal<PieceView | null>(null)
  void statesVersion.value
  const code = statesNow()[piece] ?? 0
  useEffect(() => {
    let isShown = true
    const look = (): void => {
      if (!document.hidden) void fetchPiece(piece).then(found => { if (isShown && found !== null) view.value = found })
    }
    look()
    const timer = setInterval(look, AGAIN_MS)
    return () => { isShown = false; clearInterval(timer) }
  }, [piece, code])
  const found = view.value?.piece === piece ? view.value : null
  const file = task.value!.files[found?.file ?? -1]
  const state = found?.state ?? PIECE_STATES[code]!
  return (
    <section class="card piece" aria-labelledby="piece">
      <div class="title">
        <h2 id="piece">Piece {formatCount(piece)}</h2>
        <span class="chip"><Swatch code={PIECE_STATES.indexOf(state)} />{LOOKS[state].words}</span>
        <button type="button" class="close" aria-label="Close the piece" onClick={() => { selected.value = null }}>×</button>
      </div>
      {file === undefined ? null : <p class="note">Part {formatCount(found!.part)} of <Text of={file.path} /></p>}
      {found?.explanation == null ? null : <p class="explanation"><Text of={found.explanation} /></p>}
      {found === null
        ? null
        : <>
            <Actions of={found} />
            <Facts of={found} />
            {found.attempts.length === 0 ? null : <><h3>What was tried</h3><ol class="attempts">{found.attempts.map(each => <Attempt key={`${each.at} ${each.event}`} of={each} />)}</ol></>}
          </>}
    </section>
  )
}
