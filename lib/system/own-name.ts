/** Whether a server that listens here was meant by who asks it. */
import { isIP } from 'node:net'
import { hostname as ownName } from 'node:os'

/**
 * Whether a request's `Host` is an address, or a name of this machine. Any other name could be one that a web page
 * points at this server, to read what it serves (DNS rebinding).
 */
export function isOwnName (host: string | undefined, hostname?: string): boolean {
  if (host === undefined) return true
  const name = host.replace(/:\d*$/, '').replace(/^\[|\]$/g, '').toLowerCase()
  const own = ownName().toLowerCase()
  return (
    isIP(name) !== 0 ||
    name === 'localhost' ||
    name.endsWith('.localhost') ||
    [own, `${own}.local`, hostname?.toLowerCase()].includes(name)
  )
}
