import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const MANIFEST = pathToFileURL(createRequire(import.meta.url).resolve('layerprune/package.json'))

/**
 * A file of this package by its path from the package's root. The root is found by the package's own name, so that this
 * works in `src`, in `dist` and in `program`, however deep the module lies.
 */
export function packageFile(path: string): URL {
  return new URL(path, MANIFEST)
}
