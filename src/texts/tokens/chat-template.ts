import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja'
import { LayerpruneError } from '../../base/errors.js'
import { isObject } from '../../base/is-object.js'
import { readJsonObject } from '../../files/checkpoint/config.js'
import { isGguf } from '../../files/checkpoint/gguf-names.js'
import { readGgufHeader } from '../../files/gguf/header.js'
import { readTokenId, readVocabulary } from '../../files/gguf/tokenizer/vocabulary.js'
import { nameToken } from './tokenizer-files.js'

/** How a tokenizer writes chats. */
interface ChatSettings {
  template: string
  /** `bos_token` and the like, as texts. */
  tokens: Record<string, string>
}

type Program = ReturnType<typeof parse>

/**
 * Templates that ask for the date are given this one, the date that Llama 3's falls back to: another one each day would
 * be another text each day.
 */
const DATE: Record<string, string> = { Y: '2024', m: '07', d: '26', b: 'Jul', B: 'July', H: '00', M: '00' }

const NO_TEMPLATE_HINT =
  'name the tokenizer of a chat model of the same vocabulary with `tokenizer`, or another column with `datasetColumn`'

/**
 * Opens the chat template of a model.
 * @param place  folder with the tokenizer, or GGUF file
 * @throws LayerpruneError if the model has none, or it is not understood
 */
export async function openTemplate(place: string): Promise<(messages: unknown[]) => string> {
  const { template, tokens } = await (isGguf(place) ? readFromGguf(place) : readFromFolder(place))
  const program = parseTemplate(template, place)
  return (messages) => {
    const result = new Interpreter(makeEnvironment({ messages, ...tokens })).run(program)
    return String(result.value)
  }
}

function parseTemplate(template: string, place: string): Program {
  try {
    return parse(tokenize(template, { lstrip_blocks: true, trim_blocks: true }))
  } catch (cause) {
    throw new LayerpruneError(`the chat template in ${place} is not understood: ${(cause as Error).message}`, {
      hint: NO_TEMPLATE_HINT,
      cause,
    })
  }
}

/** The names that transformers gives a template. */
function makeEnvironment(values: Record<string, unknown>): Environment {
  const environment = new Environment()
  const constants = { true: true, false: false, none: null, True: true, False: false, None: null }
  const functions = {
    raise_exception: (message: unknown) => {
      throw new Error(String(message))
    },
    strftime_now: (format: string) => format.replace(/%([YmdbBHM])/g, (_, letter) => DATE[letter]!),
    range: (...bounds: number[]) => listNumbers(bounds),
  }
  const names = { ...constants, ...functions, add_generation_prompt: false, tools: null, documents: null }
  for (const [name, value] of Object.entries({ ...names, ...values })) environment.set(name, value)
  return environment
}

/** Python's range. */
function listNumbers(bounds: number[]): number[] {
  const [start, end, step] = bounds.length === 1 ? [0, bounds[0]!, 1] : [bounds[0]!, bounds[1]!, bounds[2] ?? 1]
  return Array.from({ length: Math.max(0, Math.ceil((end - start) / step)) }, (_, index) => start + step * index)
}

/** As transformers does: the template in a file of its own comes first, `default` is the one of several. */
async function readFromFolder(folder: string): Promise<ChatSettings> {
  const [special, config, template] = await Promise.all([
    readJsonObject(join(folder, 'special_tokens_map.json')),
    readJsonObject(join(folder, 'tokenizer_config.json')),
    readIfThere(join(folder, 'chat_template.jinja')),
  ])
  const settings: Record<string, unknown> = { ...special, ...config }
  return {
    template: template ?? chooseTemplate(settings.chat_template) ?? missingTemplate(folder),
    tokens: listTokens(settings),
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined
    throw new LayerpruneError(`${path} cannot be read: ${cause.message}`, { cause })
  })
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

async function readFromGguf(path: string): Promise<ChatSettings> {
  const header = await readGgufHeader(path)
  const template = header.metadata.get('tokenizer.chat_template')?.value
  const vocabulary = readVocabulary(header)
  const roles = ['bos', 'eos'].flatMap((role) => {
    const id = readTokenId(vocabulary, role)
    return id === undefined ? [] : [[`${role}_token`, vocabulary.tokens[id]!] as const]
  })
  return {
    template: typeof template === 'string' ? template : missingTemplate(path),
    tokens: Object.fromEntries(roles),
  }
}
