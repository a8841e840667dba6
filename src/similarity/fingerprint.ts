import { createHash } from 'node:crypto'
import { open, readdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { listExternalFiles } from '../graph/external-data.js'
import type { Model } from '../model.js'

const SMALL_FILES = ['config.json', 'genai_config.json', 'tokenizer.json', 'tokenizer_config.json']
/** Files up to this size are read whole. */
const WHOLE_BYTES = 64 << 20
const SAMPLES = 256
const SAMPLE_BYTES = 64 << 10

/**
 * SHA-256 in hex that tells a model from every other, wherever its folder lies: over config, tokenizer, graph
 * and weights. Of a file over 64 MiB its size and 256 samples of 64 KiB count, evenly spread from its first byte
 * to its last, so that a fine-tuned model differs from its base and a large one is not read twice.
 * @throws the file system's error where a file cannot be read
 */
export async function fingerprintModel(model: Pick<Model, 'folder' | 'file' | 'decoder'>): Promise<string> {
  const present = await readdir(model.folder)
  const names = [...SMALL_FILES.filter((name) => present.includes(name)), model.file]
  const paths = [
    ...names.map((name) => resolve(model.folder, name)),
    ...listExternalFiles(model.decoder.model.graph!, model.decoder.weightsFolder),
  ]
  const hash = createHash('sha256')
  // the names in a cache are not those in a folder
  const digests = await Promise.all([...new Set(paths)].map(digestFile))
  for (const digest of [...new Set(digests)].sort()) hash.update(digest)
  return hash.digest('hex')
}

async function digestFile(path: string): Promise<string> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    const hash = createHash('sha256').update(`${size}\n`)
    const whole = size <= WHOLE_BYTES
    const samples = whole ? Math.ceil(size / SAMPLE_BYTES) : SAMPLES
    const spacing = whole ? SAMPLE_BYTES : (size - SAMPLE_BYTES) / (SAMPLES - 1)
    const buffer = Buffer.alloc(SAMPLE_BYTES)
    for (let sample = 0; sample < samples; sample++) {
      const { bytesRead } = await file.read(buffer, 0, SAMPLE_BYTES, Math.floor(sample * spacing))
      hash.update(buffer.subarray(0, bytesRead))
    }
    return hash.digest('hex')
  } finally {
    await file.close()
  }
}
