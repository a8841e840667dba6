/**
 * A file of this package by its path. This module and all that is built of it lie one folder below the package's own,
 * in `src`, `dist` and `program`.
 */
export function packageFile(path: string): URL {
  return new URL(`../${path}`, import.meta.url)
}
