import { readFileSync } from 'node:fs'
import { openGguf } from '../../src/files/gguf/gguf-file.js'
import { readArray } from '../../src/files/gguf/header.js'

/**
 * Keys in which we differ from the converter: it states the separator of pairs, omits the
 * base of some ropes and the type of some files, and Nemotron's epsilon twice; its fixtures split words as GPT-2.
 */
const DIFFERENT =
  /^(general\.file_type|tokenizer\.ggml\.(add_sep_token|pre)|nemotron\.attention\.layer_norm_rms_epsilon|(gemma|gptneox)\.rope\.freq_base)$/

/** Metadata and tensors of a GGUF file, without keys in which we differ from llama.cpp's converter. */
export async function readGgufContent(path: string) {
  const { header, tensors } = await openGguf(path)
  const bytes = readFileSync(path)
  const numbers = [...tensors.values()].map(({ name, type, shape, offsetBytes, sizeBytes }) => {
    const data = bytes.subarray(offsetBytes, offsetBytes + sizeBytes).toString('base64')
    return [name, { type: type.name, shape, data }] as const
  })
  const metadata = [...header.metadata].map(([key, { type, elementType, value }]) => {
    return [key, { type, elementType, value: elementType === null ? value : readArray(header, key) }] as const
  })
  return {
    metadata: Object.fromEntries(metadata.filter(([key]) => !DIFFERENT.test(key))),
    tensors: Object.fromEntries(numbers),
  }
}
