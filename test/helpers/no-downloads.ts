import type { Downloads } from '../../lib/download/downloads.ts'

/** For a session that downloads nothing. */
export const NO_DOWNLOADS: Downloads = {
  bufferedBytes: 0,
  open () {},
  offer () {},
  isAwaited: () => false,
  needs: () => false,
  consider () {},
  hurry () {},
  removePeer () {},
  cancel () {},
  reassign () {},
  hasten () {},
  close () {}
}
