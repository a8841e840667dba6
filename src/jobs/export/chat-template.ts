import { join } from 'node:path'
import { readText } from '../../base/read-text.js'
import type { LocatedModel } from '../../engine/model.js'

const MOST_TEMPLATE_BYTES = 1 << 22

/**
 * The chat template of a GGUF file, or that in a file of its own beside the tokenizer, which comes before the one in
 * tokenizer_config.json.
 * @returns undefined if there is neither
 * @throws LayerpruneError if it cannot be read
 */
export async function readSeparateTemplate({ tokenizer, gguf, source }: LocatedModel): Promise<string | undefined> {
  const stated = gguf?.file.header.metadata.get('tokenizer.chat_template')?.value
  if (typeof stated === 'string') return stated
  await source.provide(['chat_template.jinja'])
  return gguf === undefined ? readText(join(tokenizer, 'chat_template.jinja'), MOST_TEMPLATE_BYTES) : undefined
}
