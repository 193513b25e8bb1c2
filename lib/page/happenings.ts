/** What has happened to a task while its client runs, as a page shows it: bounded, and from the torrent's events. */
import type { Overview } from '../session/overview.ts'
import type { Torrent } from '../webtorrent/public-types.ts'
import type { EndedView, MessageView, SlotView, WorkView } from './snapshot.ts'

const MAX_ENDED = 10
const MAX_MESSAGES = 100
const MAX_TEXT = 1_000
/** Peers whose strikes are counted. */
const MAX_STRIKERS = 1_000

/** The happenings of one task. */
export class Happenings {
  /** the latest ones, oldest first */
  readonly messages: MessageView[] = []
  /** the id of the latest message */
  lastMessage = 0
  readonly #overview: Overview
  readonly #touch: (index: number) => void
  readonly #running = new Map<number, SlotView>()
  readonly #ended: EndedView[] = []
  readonly #strikes = new Map<string, number>()
  readonly #cancel: Array<() => void> = []

  /** @param touch called with each piece to which something has happened */
  constructor (torrent: Torrent, touch: (index: number) => void) {
    this.#overview = torrent.overview!
    this.#touch = touch
    this.#follow(torrent)
  }

  work (): WorkView { return { running: [...this.#running.values()], ended: this.#ended } }

  /** The piece is computed here now. */
  runs (index: number): SlotView | null { return this.#running.get(index) ?? null }

  /** How often the peer of this name has broken a rule. */
  strikesOf (name: string): number { return this.#strikes.get(name) ?? 0 }

  close (): void { for (const cancel of this.#cancel) cancel() }

  #follow (torrent: Torrent): void {
    const on: Torrent['on'] = (event, listener) => {
      this.#cancel.push(() => { torrent.off(event, listener) })
      return torrent.on(event, listener)
    }
    on('computing', ({ piece }) => { this.#begun(piece) })
    on('computed', ({ piece, ms, cpuMs, memoryBytes }) => {
      this.#finished({ piece, at: Date.now(), outcome: 'computed', ms, cpuMs, memoryBytes, message: null })
    })
    on('failed', ({ piece, cpuMs, memoryBytes, message, ms }) => {
      if (piece !== null) {
        this.#finished({ piece, at: Date.now(), outcome: 'failed', ms, cpuMs, memoryBytes, message: cut(message) })
      }
      this.#say('failure', message, piece)
    })
    on('aborted', ({ piece, reason }) => {
      this.#finished({
        piece, at: Date.now(), outcome: 'aborted', ms: null, cpuMs: null, memoryBytes: null, message: cut(reason)
      })
    })
    on('downloaded', ({ piece }) => { this.#touch(piece) })
    on('checked', ({ piece }) => { this.#touch(piece) })
    on('peerFailed', ({ piece, from, message }) => { this.#say('failure', `${from.join(', ')}: ${message}`, piece) })
    on('hopeless', ({ message }) => { this.#say('failure', message, null) })
    on('warning', warning => { this.#say('warning', typeof warning === 'string' ? warning : warning.message, null) })
    on('excluded', ({ key, label, reason }) => { this.#say('warning', `${label ?? key} is excluded: ${reason}`, null) })
    on('strike', ({ peer, reason }) => { this.#struck(peer, `${peer}: ${reason}`) })
    on('ban', ({ peer, reason }) => { this.#struck(peer, `${peer} is banned: ${reason}`) })
    on('done', () => { this.#say('info', 'The task is done.', null) })
  }

  #begun (piece: number): void {
    const before = this.#overview.detailsOf(piece)
    const kind = before.size !== null || before.copies > 0 ? 'check' : before.claims.length > 0 ? 'backup' : 'piece'
    const usual = this.#ended.filter(({ outcome, ms }) => outcome === 'computed' && ms !== null).map(({ ms }) => ms!)
    const estimateMs = usual.length === 0 ? null : Math.round(usual.reduce((sum, ms) => sum + ms, 0) / usual.length)
    this.#running.set(piece, { piece, since: Date.now(), estimateMs, kind })
    this.#touch(piece)
  }

  #finished (ended: EndedView): void {
    this.#running.delete(ended.piece)
    this.#ended.unshift(ended)
    if (this.#ended.length > MAX_ENDED) this.#ended.pop()
    this.#touch(ended.piece)
  }

  #struck (peer: string, text: string): void {
    if (this.#strikes.has(peer) || this.#strikes.size < MAX_STRIKERS) {
      this.#strikes.set(peer, (this.#strikes.get(peer) ?? 0) + 1)
    }
    this.#say('warning', text, null)
  }

  #say (kind: MessageView['kind'], text: string, piece: number | null): void {
    this.messages.push({ id: ++this.lastMessage, at: Date.now(), kind, text: cut(text), piece })
    if (this.messages.length > MAX_MESSAGES) this.messages.shift()
  }
}

const cut = (text: string): string => text.slice(0, MAX_TEXT)
