/**
 * What runs on this machine now, and what ended last.
 */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import type { EndedView, SlotView } from '../snapshot.ts'
import { formatBytes, formatCount, formatDuration } from './format.ts'
import { isMapOpen, messages, selected, work } from './store.ts'
import { isNarrow, Section, Text } from './text.tsx'

function PieceLink ({ piece }: { piece: number }): JSX.Element {
  return (
    <button type="button" class="link" aria-label={`Piece ${piece}`}
      onClick={() => { selected.value = piece; isMapOpen.value = true }}>{formatCount(piece)}</button>
  )
}

const KINDS = { piece: '', check: ' · check', backup: ' · backup' }
const OUTCOMES = { computed: 'computed', failed: 'failed', aborted: 'not needed' }

function Running ({ of: { piece, since, estimateMs, kind }, now }: { of: SlotView, now: number }): JSX.Element {
  const ran = Math.max(0, now - since)
  return (
    <li>
      <PieceLink piece={piece} />
      <progress aria-label={`Piece ${piece}`} max={1} value={estimateMs === null ? undefined : Math.min(0.98, ran / Math.max(1, estimateMs))} />
      <span class="note">{formatDuration(ran)}{estimateMs === null ? '' : ` of ≈ ${formatDuration(estimateMs)}`}{KINDS[kind]}</span>
    </li>
  )
}

function Ended ({ of: { piece, at, outcome, ms, cpuMs, memoryBytes, message } }: { of: EndedView }): JSX.Element {
  return (
    <tr class={outcome}>
      <td><PieceLink piece={piece} /></td>
      <td>{OUTCOMES[outcome]}{message === null ? null : <small><Text of={message} /></small>}</td>
      <td>{ms === null ? '' : formatDuration(ms)}</td>
      <td>{cpuMs === null ? '' : formatDuration(cpuMs)}</td>
      <td>{memoryBytes === null ? '' : formatBytes(memoryBytes)}</td>
      <td>{new Date(at).toLocaleTimeString()}</td>
    </tr>
  )
}

export function Work (): JSX.Element {
  const now = useSignal(Date.now())
  useEffect(() => {
    const timer = setInterval(() => { if (!document.hidden) now.value = Date.now() }, 1000)
    return () => { clearInterval(timer) }
  }, [])
  const { running, ended } = work.value
  return (
    <Section title="Work on this machine" note={running.length === 0 ? 'nothing runs' : `${running.length} running`} isFolded={isNarrow()}>
      {running.length === 0 ? null : <ul class="running">{running.map(each => <Running key={`${each.piece} ${each.kind}`} of={each} now={now.value} />)}</ul>}
      {ended.length === 0
        ? <p class="note">No piece has ended yet.</p>
        : <div class="wide" role="region" aria-label="Pieces that ended last" tabIndex={0}>
            <table>
              <thead><tr>{['Piece', 'Outcome', 'Took', 'CPU', 'Memory', 'Ended'].map(title => <th key={title}>{title}</th>)}</tr></thead>
              <tbody>{ended.map(each => <Ended key={`${each.piece} ${each.at}`} of={each} />)}</tbody>
            </table>
          </div>}
    </Section>
  )
}

/** The latest first. */
export function Messages (): JSX.Element | null {
  const latest = messages.value.slice(-20).toReversed()
  if (latest.length === 0) return null
  return (
    <Section title="Messages" isFolded={isNarrow()}>
      <ul class="messages">
        {latest.map(({ id, at, kind, text, piece }) => (
          <li key={id} class={kind}><time>{new Date(at).toLocaleTimeString()}</time>
            <span>{kind === 'info' ? null : <b>{kind === 'failure' ? 'Failed: ' : 'Warning: '}</b>}<Text of={text} />{piece === null ? null : <> <PieceLink piece={piece} /></>}</span></li>
        ))}
      </ul>
    </Section>
  )
}
