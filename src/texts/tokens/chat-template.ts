import { join } from 'node:path'
import { LayerpruneError } from '../../base/errors.js'
import { isObject } from '../../base/is-object.js'
import { readText } from '../../base/read-text.js'
import { readJsonObject } from '../../files/checkpoint/config.js'
import { isGguf } from '../../files/checkpoint/gguf-names.js'
import { readGgufHeader } from '../../files/gguf/header.js'
import { readTokenId, readVocabulary } from '../../files/gguf/tokenizer/vocabulary.js'
import { assertTemplateLength } from '../templates/template-length.js'
import { nameToken } from './tokenizer-files.js'

/** How a tokenizer writes chats. */
export interface ChatTemplate {
  template: string
  /** `bos_token` and the like, as texts. */
  tokens: Record<string, string>
}

interface Found extends Omit<ChatTemplate, 'template'> {
  template: string | undefined
}

/** Four for each character of the longest template that is read. */
const MOST_TEMPLATE_BYTES = 1 << 22

export const NO_TEMPLATE_HINT =
  'name the tokenizer of a chat model of the same vocabulary with `tokenizer`, or another column with `datasetColumn`'

/**
 * Reads the chat template of a model.
 * @param place  folder with the tokenizer, or GGUF file
 * @throws LayerpruneError if the model has none
 */
export async function readChatTemplate(place: string): Promise<ChatTemplate> {
  return (await findChatTemplate(place)) ?? missingTemplate(place)
}

/**
 * As `readChatTemplate`, of a model that may have none.
 * @returns undefined if it has none
 */
export async function findChatTemplate(place: string): Promise<ChatTemplate | undefined> {
  const { template, tokens } = await (isGguf(place) ? readFromGguf(place) : readFromFolder(place))
  if (template === undefined) return undefined
  assertTemplateLength(template, `the chat template in ${place} is not understood`)
  return { template, tokens }
}

/** As transformers does: the template in a file of its own comes first, `default` is the one of several. */
async function readFromFolder(folder: string): Promise<Found> {
  const [special, config, template] = await Promise.all([
    readJsonObject(join(folder, 'special_tokens_map.json')),
    readJsonObject(join(folder, 'tokenizer_config.json')),
    readText(join(folder, 'chat_template.jinja'), MOST_TEMPLATE_BYTES),
  ])
  const settings: Record<string, unknown> = { ...special, ...config }
  return {
    template: template ?? chooseTemplate(settings.chat_template),
    tokens: listTokens(settings),
  }
}

function chooseTemplate(stated: unknown): string | undefined {
  if (typeof stated === 'string') return stated
  if (!Array.isArray(stated)) return undefined
  const found = stated.find((entry) => isObject(entry) && entry.name === 'default')
  return isObject(found) && typeof found.template === 'string' ? found.template : undefined
}

function missingTemplate(place: string): never {
  throw new LayerpruneError(`the tokenizer in ${place} has no chat template, and the column holds chats`, {
    hint: NO_TEMPLATE_HINT,
  })
}

function listTokens(settings: Record<string, unknown>): Record<string, string> {
  const tokens = Object.entries(settings).flatMap(([name, value]) => {
    const text = nameToken(value)
    return /^[a-z]+_token$/.test(name) && text !== null ? [[name, text] as const] : []
  })
  return Object.fromEntries(tokens)
}

async function readFromGguf(path: string): Promise<Found> {
  const header = await readGgufHeader(path)
  const template = header.metadata.get('tokenizer.chat_template')?.value
  const vocabulary = readVocabulary(header)
  const roles = ['bos', 'eos'].flatMap((role) => {
    const id = readTokenId(vocabulary, role)
    return id === undefined ? [] : [[`${role}_token`, vocabulary.tokens[id]!] as const]
  })
  return {
    template: typeof template === 'string' ? template : undefined,
    tokens: Object.fromEntries(roles),
  }
}
