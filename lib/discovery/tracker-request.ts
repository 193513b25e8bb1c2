/**
 * Reads the requests to a tracker strictly, before bittorrent-tracker's server sees them. Pure. Called by
 * tracker-server.ts.
 */

/** BEP 15 has room for 74 in a datagram. */
const MAX_SCRAPED = 74
/** Offers of a WebRTC peer in one announcement; clients make five. */
const MAX_OFFERS = 10
const MAX_SDP = 32 * 1024
/** The largest number that the package answers with. */
const MAX_NUMWANT = 82
const ACTION = { connect: 0, announce: 1, scrape: 2 }
const EVENTS = new Set(['', 'empty', 'started', 'stopped', 'completed', 'update', 'paused'])

/** A request as parsed by the package, over any transport. */
export type TrackerRequest = Record<string, unknown>

/** Removes everything from the request that is not valid. Returns what is wrong with it, or null. */
export function tidyRequest (request: TrackerRequest): string | null {
  const { action } = request
  const problem =
    action === ACTION.connect ? null : action === ACTION.announce ? tidyAnnounce(request) : tidyScrape(request)
  // the package copies it into its answer
  if (problem !== null) request['info_hash'] = ''
  return problem
}

function tidyAnnounce (request: TrackerRequest): string | null {
  const { info_hash: infoHash, peer_id: peerId, event, port, numwant, type } = request
  if (!isHex(infoHash) || !isHex(peerId)) return 'invalid info_hash or peer_id'
  if (event !== undefined && !EVENTS.has(event as string)) return 'invalid event'
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535) return 'invalid port'
  request['compact'] = type === 'ws' ? -1 : Number(request['compact'] === 1)
  request['numwant'] = Math.min(Math.max(Math.trunc(Number(numwant)) || 0, 0), MAX_NUMWANT)
  return type === 'ws' ? tidySignals(request) : null
}

/** Checks the offers to other peers, or the answer to one. */
function tidySignals (request: TrackerRequest): string | null {
  const { offers, answer, offer_id: offerId, to_peer_id: to } = request
  if (answer !== undefined && answer !== null && (!isDescription(answer) || !isBinary(offerId) || !isHex(to))) {
    return 'invalid answer'
  }
  if (offers === undefined || offers === null) {
    request['numwant'] = 0
    delete request['offers']
    return null
  }
  if (!Array.isArray(offers) || offers.length > MAX_OFFERS || !offers.every(isOffer)) return 'invalid offers'
  request['numwant'] = Math.min(Number(request['numwant']), offers.length)
  return null
}

function tidyScrape (request: TrackerRequest): string | null {
  const { info_hash: infoHashes } = request
  delete request['offers']
  delete request['answer']
  // without info-hashes, the package would list all swarms
  const isRight =
    Array.isArray(infoHashes) && infoHashes.length > 0 && infoHashes.length <= MAX_SCRAPED && infoHashes.every(isHex)
  return isRight ? null : 'invalid info_hash'
}

function isHex (value: unknown): boolean { return typeof value === 'string' && /^[0-9a-f]{40}$/.test(value) }

function isBinary (value: unknown): boolean { return typeof value === 'string' && /^[\0-\xff]{1,20}$/.test(value) }

function isOffer (value: unknown): boolean {
  const { offer, offer_id: id } = (value ?? {}) as Record<string, unknown>
  return isDescription(offer) && isBinary(id)
}

function isDescription (value: unknown): boolean {
  const { type, sdp } = (value ?? {}) as Record<string, unknown>
  return (type === 'offer' || type === 'answer') && typeof sdp === 'string' && sdp.length <= MAX_SDP
}
