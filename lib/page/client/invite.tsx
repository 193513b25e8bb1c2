/**
 * The invitation: the link that others run the task with, also for the camera of a telephone.
 */
import { useSignal } from '@preact/signals'
import { generate } from 'lean-qr'
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { task } from './store.ts'
import { Section } from './text.tsx'

export function Invite (): JSX.Element {
  const { magnet } = task.value!
  const code = useRef<HTMLCanvasElement>(null)
  const link = useRef<HTMLTextAreaElement>(null)
  const isCopied = useSignal(false)
  const isTooLong = useSignal(false)
  useEffect(() => {
    try {
      generate(magnet).toCanvas(code.current!, { on: [11, 15, 20], off: [255, 255, 255], pad: 4 })
    } catch {
      isTooLong.value = true
    }
  }, [magnet])
  const copy = (): void => {
    link.current!.select()
    void navigator.clipboard.writeText(magnet).then(() => { isCopied.value = true }, () => {})
  }
  return (
    <Section title="Invite others">
      <div class="invite">
        <canvas ref={code} class={isTooLong.value ? 'qr none' : 'qr'} role="img" aria-label="The magnet link as a QR code" />
        <div>
          <p>Whoever runs this link helps to compute, and gets the result:</p>
          <textarea ref={link} readOnly rows={4} aria-label="Magnet link" value={magnet} spellcheck={false} />
          <div class="buttons"><button type="button" class="main" onClick={copy}>Copy the link</button>
            <span role="status" class="note">{isCopied.value ? 'Copied' : ''}</span></div>
        </div>
      </div>
    </Section>
  )
}
