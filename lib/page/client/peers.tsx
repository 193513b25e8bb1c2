/**
 * The table of peers, sorted by the column that the user has chosen.
 */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import type { PeerView } from '../snapshot.ts'
import { formatBytes, formatCount, plural } from './format.ts'
import { peers } from './store.ts'
import { isNarrow, Section, Text } from './text.tsx'

/** More rows help nobody, and cost the page. */
const MAX_ROWS = 200

interface Column { title: string, value: (peer: PeerView) => number | string | null, show?: (value: number) => string }

const perSecond = (bytes: number): string => bytes === 0 ? '–' : `${formatBytes(bytes)}/s`
const COLUMNS: readonly Column[] = [
  { title: 'Peer', value: peer => peer.name },
  { title: 'Client', value: peer => peer.client },
  { title: 'Has', value: peer => peer.held, show: formatCount },
  { title: 'Computes', value: peer => peer.claims, show: formatCount },
  { title: 'Gave', value: peer => peer.delivered, show: formatCount },
  { title: 'Received', value: peer => peer.received, show: formatBytes },
  { title: 'Sent', value: peer => peer.sent, show: formatBytes },
  { title: 'Down', value: peer => peer.downloadSpeed, show: perSecond },
  { title: 'Up', value: peer => peer.uploadSpeed, show: perSecond },
  { title: 'Strikes', value: peer => peer.strikes, show: formatCount }
]

function compare (a: number | string | null, b: number | string | null): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? -1 : 1
  return typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b))
}

function Cell ({ value, show }: { value: number | string | null, show: Column['show'] }): JSX.Element {
  if (value === null) return <td>–</td>
  return typeof value === 'number' ? <td class="number">{show?.(value) ?? value}</td> : <td><Text of={value} /></td>
}

function Row ({ of }: { of: PeerView }): JSX.Element {
  return <>{COLUMNS.map(({ title, value, show }) => <Cell key={title} value={value(of)} show={show} />)}</>
}

export function Peers (): JSX.Element {
  const column = useSignal(2)
  const isDown = useSignal(true)
  const { value } = COLUMNS[column.value]!
  const order = isDown.value ? -1 : 1
  const rows = peers.value.toSorted((a, b) => order * compare(value(a), value(b))).slice(0, MAX_ROWS)
  const choose = (index: number): void => {
    isDown.value = index === column.value ? !isDown.value : index > 1
    column.value = index
  }
  return (
    <Section title="Peers" note={plural(peers.value.length, 'peer')} isFolded={isNarrow()}>
      {rows.length === 0
        ? <p class="note">Nobody is connected. Share the invitation.</p>
        : <div class="wide" role="region" aria-label="Connected peers" tabIndex={0}>
            <table class="peers">
              <thead><tr>{COLUMNS.map(({ title }, index) => (
                <th key={title} aria-sort={index === column.value ? isDown.value ? 'descending' : 'ascending' : undefined}>
                  <button type="button" class="link" onClick={() => { choose(index) }}>{title}<span aria-hidden="true">{index === column.value ? isDown.value ? ' ↓' : ' ↑' : ''}</span></button>
                </th>
              ))}</tr></thead>
              <tbody>{rows.map(peer => (
                <tr key={peer.name}><Row of={peer} /></tr>
              ))}</tbody>
            </table>
          </div>}
      {peers.value.length > MAX_ROWS ? <p class="note">The first {MAX_ROWS} are shown.</p> : null}
    </Section>
  )
}
