import { createHash } from 'node:crypto'
import { readdir, realpath } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type HashOptions, hashFiles } from '../checkpoint/hash-files.js'
import type { Model } from '../model.js'

const SMALL_FILES = ['config.json', 'genai_config.json', 'tokenizer.json', 'tokenizer_config.json']

/**
 * SHA-256 in hex that tells a model from every other, wherever its folder lies: over config, tokenizer, graph and
 * weights, all of them to the last byte.
 * @throws as `hashFiles`
 */
export async function fingerprintModel(
  { folder, file, weightFiles }: Pick<Model, 'folder' | 'file' | 'weightFiles'>,
  options: HashOptions,
): Promise<string> {
  const present = await readdir(folder)
  const names = [...SMALL_FILES.filter((name) => present.includes(name)), file]
  // in a cache, names are links: a file of weights must not be hashed twice
  const paths = await Promise.all(names.map((name) => realpath(resolve(folder, name))))
  const digests = await hashFiles([...paths, ...weightFiles], options)
  const hash = createHash('sha256')
  // the names in a cache are not those in a folder
  for (const digest of [...new Set(digests.values())].sort()) hash.update(digest)
  return hash.digest('hex')
}
