import { createHash } from 'node:crypto'
import { readdir, realpath } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Model } from '../../engine/model.js'
import { isGguf } from '../../files/checkpoint/gguf-names.js'
import { type HashOptions, hashFiles } from '../../files/checkpoint/hash-files.js'
import { ADAPTER_FILE } from '../../files/checkpoint/other-forms.js'

const SMALL_FILES = ['config.json', 'genai_config.json', 'tokenizer.json', 'tokenizer_config.json']

type Fingerprinted = Pick<Model, 'folder' | 'format' | 'tokenizer' | 'file' | 'weightFiles' | 'adapter'>

/**
 * SHA-256 in hex that identifies a model wherever it lies: config, tokenizer, graph and weights, to the last byte.
 * @throws as `hashFiles`
 */
export async function fingerprintModel(
  { folder, format, tokenizer, file, weightFiles, adapter }: Fingerprinted,
  options: HashOptions,
): Promise<string> {
  const places = new Set(format === 'gguf' ? [tokenizer] : [folder, tokenizer])
  const ofAdapter = adapter === undefined ? [] : [resolve(adapter.folder, ADAPTER_FILE), adapter.path]
  const small = await Promise.all([...places].map(listSmallFiles))
  // in a cache, names are links: a file of weights must not be hashed twice
  const paths = await Promise.all([...small.flat(), ...ofAdapter, resolve(folder, file)].map((path) => realpath(path)))
  const digests = await hashFiles([...paths, ...weightFiles], options)
  const hash = createHash('sha256')
  // the names in a cache are not those in a folder
  for (const digest of [...new Set(digests.values())].sort()) hash.update(digest)
  return hash.digest('hex')
}

/** Config and tokenizer of a folder; a GGUF file is both. */
async function listSmallFiles(place: string): Promise<string[]> {
  if (isGguf(place)) return [place]
  const present = await readdir(place)
  return SMALL_FILES.filter((name) => present.includes(name)).map((name) => resolve(place, name))
}
