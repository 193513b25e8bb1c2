/**
 * Methods of inherited packages that are guarded. A guard replaces the one method through which bytes come in, by one
 * that reads them strictly and within bounds, so that the package only ever sees what is in order. docs/SECURITY.md,
 * "Inherited".
 */

/**
 * The method, to be called by what replaces it. Throws if the package has changed and has none: an error at start-up,
 * not a hole.
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
