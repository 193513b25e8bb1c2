/**
 * Guards for methods of inherited packages. A guard replaces the one method that receives bytes by one that reads them
 * strictly and within bounds, so that the package sees only well-formed input. docs/SECURITY.md, "Inherited".
 */

/**
 * Returns the original method, for its replacement to call. Throws if the package has changed and no longer has this
 * method: an error at start-up is better than a hole.
 */
export function inheritedMethod<T extends object, K extends keyof T> (
  owner: T, name: K, packageName: string
): NonNullable<T[K]> {
  const found = owner[name]
  if (typeof found !== 'function') {
    throw new Error(`${packageName} has changed: it has no ${String(name)}, so it cannot be guarded.`)
  }
  return found
}
