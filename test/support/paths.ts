import { join } from 'node:path'

/** The repository's folder. */
export const ROOT = join(import.meta.dirname, '../..')
/** What a user starts; it runs what is built in `program`. */
export const PROGRAM = join(ROOT, 'bin/layerprune.js')
export const EXAMPLES = join(ROOT, 'examples')
export const FIXTURES = join(ROOT, 'test/fixtures')
/** The texts that the references of all fixtures were made with. */
export const TEXTS = join(FIXTURES, 'texts.jsonl')
/** A Llama as ONNX graphs of several precisions. */
export const LLAMA = join(FIXTURES, 'onnx/llama')
