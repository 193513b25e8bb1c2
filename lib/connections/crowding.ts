/**
 * Decides who makes room for a newcomer when all connections are taken, as Bitcoin Core does: many connections from one
 * network or address must not shut out the others. Pure. Called by admission.ts and half-open.ts.
 */

/**
 * The network of an address in the form of `hostOf`: 24 bits of IPv4, 48 bits of IPv6. Anything else is a network of
 * its own.
 */
function networkOf (host: string): string {
  if (/^\d+\.\d+\.\d+\.\d+$/.test(host)) return host.slice(0, host.lastIndexOf('.'))
  return host.endsWith('::/64') ? host.split(':', 3).join(':') : host
}

/**
 * Finds the most crowded network, and within it the most crowded address. Returns its first occupant (the oldest, if
 * they are in that order) if that place is more crowded than the newcomer's own; otherwise undefined.
 * @param mayLeave false for occupants that must stay; they still count as part of the crowd
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
