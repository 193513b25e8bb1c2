/**
 * The files, each with its bar, and a look into what is there.
 */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import type { FileView } from '../snapshot.ts'
import { CopiesBar, PieceBar } from './bar.tsx'
import { act } from './connection.ts'
import { formatBytes, formatCount, formatPercent, harmless, plural } from './format.ts'
import { live, previewed, task } from './store.ts'
import { Section, Text } from './text.tsx'

const ROWS = 20
/** Of a text; the rest is for an editor. */
const TEXT_BYTES = 65_536

function TextPreview ({ source }: { source: string }): JSX.Element {
  const text = useSignal<string | null>(null)
  useEffect(() => {
    const headers = { range: `bytes=0-${TEXT_BYTES - 1}` }
    void fetch(source, { headers }).then(async answer => {
      text.value = answer.ok ? await answer.text() : 'The beginning of the file is not there yet.'
    }, () => { text.value = 'The file cannot be read.' })
  }, [source])
  return <pre class="preview" dir="auto" tabIndex={0} role="region" aria-label="Beginning of the file">{harmless(text.value ?? '')}</pre>
}

function Preview ({ file: { index, path, preview } }: { file: FileView }): JSX.Element | null {
  const source = useSignal<string | null>(null)
  useEffect(() => {
    void act({ do: 'preview', file: index }).then(answer => { source.value = answer?.preview ?? null })
  }, [index])
  if (source.value === null) return null
  if (preview === 'image') return <img class="preview" src={source.value} alt={`The image ${harmless(path)}`} />
  if (preview === 'video') return <video class="preview" src={source.value} controls preload="metadata" aria-label={harmless(path)} />
  if (preview === 'audio') return <audio class="preview" src={source.value} controls preload="metadata" aria-label={harmless(path)} />
  return <TextPreview source={source.value} />
}

function File ({ file }: { file: FileView }): JSX.Element {
  const { index, path, first, pieces, preview } = file
  const now = live.value!.files[index]
  const isOpen = previewed.value === index
  const word = preview === 'video' || preview === 'audio' ? 'Play' : 'Show'
  return (
    <li>
      <div class="file">
        <span class="path"><Text of={path} /></span>
        <span class="note">{now === undefined ? '' : `${now.isFinished ? 'finished' : `${formatPercent(now.stored, pieces)} of ${plural(pieces, 'piece')}`} · ${formatBytes(now.bytes)}`}</span>
        {preview === null || now === undefined || now.stored === 0
          ? null
          : <button type="button" aria-expanded={isOpen} aria-label={`${isOpen ? 'Hide' : word} ${harmless(path)}`}
              onClick={() => { previewed.value = isOpen ? null : index }}>{isOpen ? 'Hide' : word}</button>}
      </div>
      <PieceBar from={first} to={first + pieces} isSmall />
      <CopiesBar from={first} to={first + pieces} />
      {isOpen ? <Preview key={index} file={file} /> : null}
    </li>
  )
}

export function Result (): JSX.Element {
  const rows = useSignal(ROWS)
  const { files, folder } = task.value!
  return (
    <div id="result">
      <Section title="Result" note={plural(files.length, 'file')}>
        <p class="note">In <Text of={folder} /></p>
        <ul class="files">{files.slice(0, rows.value).map(file => <File key={file.index} file={file} />)}</ul>
        {files.length > rows.value
          ? <button type="button" onClick={() => { rows.value += ROWS * 2 }}>Show more of {formatCount(files.length)} files</button>
          : null}
      </Section>
    </div>
  )
}
