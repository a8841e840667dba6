import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { LayerpruneError } from '../../base/errors.js'
import { findParts } from '../checkpoint/gguf-names.js'
import { quoteName } from '../checkpoint/safetensors-header.js'
import { type GgufHeader, type GgufTensor, readGgufHeader } from './header.js'

/** A model in one GGUF file, or in several parts. */
export interface GgufFile {
  /** The first part's, with the metadata of the model; other parts state only their number. */
  header: GgufHeader
  /** One for each part, in order. */
  headers: GgufHeader[]
  /** From all parts. */
  tensors: ReadonlyMap<string, GgufTensor>
}

/**
 * Reads the headers of a GGUF file and of the parts that belong to it.
 * @param path  of the file, or of any of its parts
 * @throws LayerpruneError if one is missing, malformed or truncated, or they are not parts of the same model
 */
export async function openGguf(path: string): Promise<GgufFile> {
  const folder = dirname(path)
  const headers: GgufHeader[] = []
  const names = findParts(path)
  for (const [part, name] of names.entries()) {
    if (names.length > 1 && !existsSync(join(folder, name))) {
      throw new LayerpruneError(`${folder} has no ${name}, part ${part + 1} of ${names.length} of the model`, {
        hint: 'download or copy all parts into one folder',
      })
    }
    headers.push(await readGgufHeader(join(folder, name)))
  }
  const [header] = headers
  const count = readCount(header!, 'split.count') ?? 1
  const isSplit = count > 1 || headers.length > 1
  if (isSplit && count !== headers.length) {
    throw new LayerpruneError(`${path} is a part of a model in ${count} parts, but its name says ${headers.length}`, {
      hint: 'keep the names that the parts were published with, as in model-00001-of-00003.gguf',
    })
  }
  const tensors = new Map<string, GgufTensor>()
  for (const [part, { file, metadata, tensors: own }] of headers.entries()) {
    const number = isSplit ? readCount(headers[part]!, 'split.no') : part
    if (number !== part || (isSplit && metadata.get('split.count')?.value !== count)) {
      throw mixedParts(`${file} is not part ${part + 1} of ${count} of the same model`)
    }
    for (const [name, tensor] of own) {
      if (tensors.has(name)) {
        throw mixedParts(`${file} has tensor ${quoteName(name)}, which an earlier part has too`)
      }
      tensors.set(name, tensor)
    }
  }
  const stated = isSplit ? readCount(header!, 'split.tensors.count') : undefined
  if (stated !== undefined && stated !== tensors.size) {
    throw mixedParts(`${path}: its ${count} parts have ${tensors.size} tensors, but the first part states ${stated}`)
  }
  return { header: header!, headers, tensors }
}

function mixedParts(message: string): LayerpruneError {
  return new LayerpruneError(message, { hint: 'download all parts again, from the same revision' })
}

function readCount({ metadata }: GgufHeader, key: string): number | undefined {
  const value = metadata.get(key)?.value
  return typeof value === 'number' ? value : undefined
}
