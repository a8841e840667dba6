import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const MANIFEST = pathToFileURL(createRequire(import.meta.url).resolve('layerprune/package.json'))

/** A file of this package by its path from the root, found by the package's name: works in src, dist and program. */
export function packageFile(path: string): URL {
  return new URL(path, MANIFEST)
}
