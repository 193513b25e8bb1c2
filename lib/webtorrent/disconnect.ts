/** Closes the connections of a peer. Called where it is banned. */
import { identityOf } from '../peers/identity.ts'
import type { Wire } from './types.ts'

/** Closes those of `wires` that have the same peer as `wire`. */
export function disconnect (wires: readonly Wire[], wire: Wire): void {
  const identity = identityOf(wire)
  for (const each of wires.filter(one => identityOf(one) === identity)) each.destroy()
}
