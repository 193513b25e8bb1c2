/**
 * Small parts that all of the page uses.
 */
import type { ComponentChildren, JSX } from 'preact'
import { harmless } from './format.ts'

/** Text of a stranger: as text, with its own direction, and nothing invisible in it. */
export function Text ({ of }: { of: string }): JSX.Element { return <bdi>{harmless(of)}</bdi> }

/** A card; on a small screen it is folded until somebody opens it. */
export function Section (
  { title, note, isFolded = false, children }:
  { title: string, note?: string, isFolded?: boolean, children: ComponentChildren }
): JSX.Element {
  return (
    <details class="card" open={!isFolded}>
      <summary><h2>{title}</h2>{note === undefined ? null : <span class="note">{note}</span>}</summary>
      <div class="inside">{children}</div>
    </details>
  )
}

/** Whether the screen has room for one column only. */
export const isNarrow = (): boolean => matchMedia('(max-width: 719px)').matches
