/**
 * What is to be seen at once: which task, whose, how far, how long still; and what steers it.
 */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { act, show } from './connection.ts'
import { formatCount, formatPercent } from './format.ts'
import { link, live, task, tasks } from './store.ts'
import { Text } from './text.tsx'
import { stateOf, timeLeftOf } from './words.ts'

function Tasks (): JSX.Element | null {
  if (tasks.value.length < 2) return null
  return (
    <label class="tasks">Task <select value={task.value?.infoHash}
      onChange={({ currentTarget }) => { show(currentTarget.value) }}>
      {tasks.value.map(({ infoHash, name }) => <option key={infoHash} value={infoHash}><Text of={name} /></option>)}
    </select></label>
  )
}

/** Asks before it ends the client. */
function Stop (): JSX.Element {
  const isAsking = useSignal(false)
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => { if (isAsking.value) dialog.current!.showModal() }, [isAsking.value])
  const answer = (action: 'finish' | 'stop' | null): void => {
    dialog.current!.close()
    if (action !== null) void act({ do: action })
  }
  return (
    <>
      <button type="button" onClick={() => { isAsking.value = true }}>Stop…</button>
      {isAsking.value
        ? <dialog ref={dialog} aria-labelledby="stop" onClose={() => { isAsking.value = false }}>
            <h2 id="stop">Stop the client?</h2>
            <p>What is stored stays, and <code>bitworker run</code> goes on from there. Pieces that are running now are
              lost if you do not let them end.</p>
            <div class="buttons">
              <button type="button" class="main" onClick={() => { answer('finish') }}>Let running pieces end</button>
              <button type="button" class="danger" onClick={() => { answer('stop') }}>Stop now</button>
              <button type="button" onClick={() => { answer(null) }}>Cancel</button>
            </div>
          </dialog>
        : null}
    </>
  )
}

const setSlots = (slots: number): void => { void act({ do: 'slots', slots }) }

function Slots ({ slots }: { slots: number }): JSX.Element {
  return (
    <div class="slots" role="group" aria-label="Pieces at a time">
      <button type="button" aria-label="One less" disabled={slots <= 1} onClick={() => { setSlots(slots - 1) }}>−</button>
      <span><b>{slots}</b> at a time</span>
      <button type="button" aria-label="One more" disabled={slots >= 1024} onClick={() => { setSlots(slots + 1) }}>+</button>
    </div>
  )
}

export function Header (): JSX.Element {
  const { name, signed } = task.value!
  const now = live.value!
  const { stored, pieces } = now.pieces
  const left = timeLeftOf(now)
  const isPaused = now.computing === 'paused'
  const isOver = link.value === 'ended'
  return (
    <header class="card head">
      <div class="who">
        <Tasks />
        <h1><Text of={name} /></h1>
        <p class={signed === null ? 'verdict unsigned' : 'verdict'}><Text of={signed ?? 'Nobody has signed this task.'} /></p>
        <p class={`state ${now.done ? 'done' : isPaused ? 'paused' : ''}`}><Text of={stateOf(now)} /></p>
        {[...now.waiting, ...now.remark === null ? [] : [now.remark]].map(line => <p class="remark" key={line}><Text of={line} /></p>)}
      </div>
      <div class="far">
        <p class="percent">{formatPercent(stored, pieces)}</p>
        <p class="of"><b>{formatCount(stored)}</b> of {formatCount(pieces)} pieces</p>
        {left === null ? null : <p class="left">{left}</p>}
      </div>
      <div class="buttons">
        {now.computing === 'off' || now.done || isOver
          ? null
          : <button type="button" class="main" onClick={() => { void act({ do: isPaused ? 'resume' : 'pause' }) }}>
              {isPaused ? 'Resume' : 'Pause'}
            </button>}
        {isOver ? null : <Stop />}
        {now.slots > 0 && !now.done && !isOver ? <Slots slots={now.slots} /> : null}
      </div>
    </header>
  )
}
