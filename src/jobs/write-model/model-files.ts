import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** Weights in any form, and what `prune` and `heal` leave: what shows that a folder holds a model. */
const SIGNS = [
  /\.(safetensors|onnx|gguf)$/,
  /^pytorch_model.*\.bin$/,
  /^(tf_model\.h5|flax_model\.msgpack)$/,
  /^layerprune-(plan|texts)\.json$/,
]

/** What else models have, by names that nothing else has. */
const MODEL_FILES = [
  ...SIGNS,
  /\.(safetensors|bin)\.index\.json$/,
  /\.onnx[._]data(_\d+)?$/,
  /^(genai_|generation_|tokenizer_|(video_|pre)?processor_|quantize_|quant_)?config\.json$/,
  /^(tokenizer|special_tokens_map|added_tokens|vocab|chat_template|trainer_state)\.json$/,
  /^(vocab|merges)\.txt$/,
  /\.(jinja|tiktoken|vocab|bpe)$/,
  /^(tokenizer|spiece|sentencepiece.*)\.model$/,
  /^(modeling|configuration|tokenization|processing)_\w+\.py$/,
  /^(readme|licen[cs]e|notice|copying|use_policy|acceptable_use)([-_.]\w+)*$/i,
  /^\.gitattributes$/,
]

const FOLDERS = /^(onnx|additional_chat_templates)$/

/** What a folder holds, as far as it matters to whether it may be replaced. */
export interface FolderContent {
  holdsModel: boolean
  /** A file or folder that is not known to be part of a model; undefined if there is none. */
  stranger: string | undefined
}

/** Looks for a model in a folder, and for anything that is not part of one; `known` names always are. */
export async function inspectModelFolder(folder: string, known: string[]): Promise<FolderContent> {
  const names: string[] = []
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isDirectory() || !FOLDERS.test(entry.name)) names.push(entry.name)
    else names.push(...(await readdir(join(folder, entry.name))).map((name) => `${entry.name}/${name}`))
  }
  const matches = (patterns: RegExp[]) => (name: string) =>
    patterns.some((pattern) => pattern.test(name.slice(name.indexOf('/') + 1)))
  const isPart = matches(MODEL_FILES)
  return {
    holdsModel: names.some(matches(SIGNS)),
    stranger: names.find((name) => !isPart(name) && !known.includes(name)),
  }
}
