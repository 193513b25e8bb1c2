/**
 * Who makes room when all room is taken and a newcomer comes (as Bitcoin Core does it): whoever fills our door from one
 * network or address must not shut the others out. Pure. Called by admission.ts and half-open.ts.
 */

/**
 * The network of an address as `hostOf` gives it: 24 bits of IPv4, 48 of IPv6; what is no address is a network of its
 * own.
 */
function networkOf (host: string): string {
  if (/^\d+\.\d+\.\d+\.\d+$/.test(host)) return host.slice(0, host.lastIndexOf('.'))
  return host.endsWith('::/64') ? host.split(':', 3).join(':') : host
}

/**
 * The first occupant (the oldest, if they are in that order) of the network, and within it of the address, with the
 * most occupants, if that is more crowded than the newcomer's own; undefined if it is not.
 * @param mayLeave leaves out occupants that must stay; they count for the crowd all the same
 */
export function mostCrowded<T> (
  occupants: Iterable<T>,
  newcomer: string,
  hostOf: (occupant: T) => string,
  mayLeave: (occupant: T) => boolean = () => true
): T | undefined {
  const all = Array.from(occupants, occupant => ({ occupant, host: hostOf(occupant) }))
  const counts = new Map<string, number>()
  for (const host of [newcomer, ...all.map(each => each.host)]) {
    for (const key of [host, `network ${networkOf(host)}`]) counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  const crowdOf = (host: string): [network: number, address: number] => [
    counts.get(`network ${networkOf(host)}`)!, counts.get(host)!
  ]
  let most = crowdOf(newcomer)
  let found: T | undefined
  for (const { occupant, host } of all) {
    const crowd = crowdOf(host)
    if ((crowd[0] - most[0] || crowd[1] - most[1]) <= 0 || !mayLeave(occupant)) continue
    most = crowd
    found = occupant
  }
  return found
}
