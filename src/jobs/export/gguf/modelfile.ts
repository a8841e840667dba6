import { LayerpruneError } from '../../../base/errors.js'
import { readText } from '../../../base/read-text.js'
import type { LocatedModel } from '../../../engine/model.js'
import type { Identity } from '../../../files/gguf/write/state-general.js'
import type { WrittenValue } from '../../../files/gguf/write/written-value.js'
import { type ChatParts, findChatParts } from '../../../texts/tokens/chat-parts.js'
import { findChatTemplate } from '../../../texts/tokens/chat-template.js'
import { resolveInside } from '../../write-model/companion-files.js'
import { type PlannedFile, textFile } from '../../write-model/planned-file.js'

/** What Ollama calls it. */
export const MODELFILE = 'Modelfile'

interface Written {
  /** Names of the GGUF files; the first is the one that is run. */
  files: string[]
  metadata: ReadonlyMap<string, WrittenValue>
  identity: Identity
}

interface ModelfileOptions {
  signal?: AbortSignal | undefined
  onNote?: ((message: string) => void) | undefined
}

/** Ollama's names of what a GGUF file recommends for sampling. */
const PARAMETERS = {
  temp: 'temperature',
  top_k: 'top_k',
  top_p: 'top_p',
  min_p: 'min_p',
  penalty_repeat: 'repeat_penalty',
}
/** Of float32, in which the file holds them. */
const FLOAT_DIGITS = 7
/** Of a licence; long ones have 40 kB. */
const MOST_LICENSE_BYTES = 1 << 20

/**
 * The Modelfile of which `ollama create` makes a model: the file, how chats are written, where the model stops and how it
 * is sampled. Chats are written as the chat template does, or not at all if Ollama's templates cannot do that.
 * @throws LayerpruneError if the chat template or the licence cannot be read, or a file's name cannot be quoted
 */
export async function planModelfile(
  located: LocatedModel,
  written: Written,
  options: ModelfileOptions,
): Promise<PlannedFile> {
  const { files, metadata, identity } = written
  const [from, ...others] = files.map((file) => `FROM ${quoteOrRefuse(`./${file}`)}`)
  const lines = [
    from,
    ...others.map((line) => `# ${line}`),
    ...(await formatChat(located, metadata, options)),
    ...listStops(metadata, identity).flatMap((stop) => formatLine('PARAMETER stop', stop)),
    ...Object.entries(PARAMETERS).flatMap(([key, name]) => {
      const value = metadata.get(`general.sampling.${key}`)?.value
      return typeof value === 'number' ? [`PARAMETER ${name} ${Number(value.toPrecision(FLOAT_DIGITS))}`] : []
    }),
    ...(await readLicenses(located, metadata)).flatMap((license) => formatLine('LICENSE', license)),
  ]
  return textFile(MODELFILE, `${lines.join('\n')}\n`)
}

async function formatChat(
  { tokenizer }: LocatedModel,
  metadata: Written['metadata'],
  { signal, onNote }: ModelfileOptions,
): Promise<string[]> {
  const template = await findChatTemplate(tokenizer)
  if (template === undefined) return []
  const parts = await findChatParts(template, signal)
  if (parts === undefined) {
    const problem = 'the chat template does not write all turns alike, so it cannot be written as one of Ollama’s'
    onNote?.(`Modelfile: ${problem}; Ollama chooses the nearest that it knows, or none`)
    return [`# ${problem}: without TEMPLATE it chooses the nearest that it knows, or none`]
  }
  const bos = metadata.get('tokenizer.ggml.add_bos_token')?.value === true ? (template.tokens.bos_token ?? '') : ''
  const known = parts.system === undefined ? ['# the chat template knows no system texts, so they are not written'] : []
  return [...known, `TEMPLATE """${formatTemplate(withoutBos(parts, bos))}"""`]
}

/** Ollama puts the token that begins texts before what the template writes, so that the template must not. */
function withoutBos(parts: ChatParts, bos: string): ChatParts {
  const cut = (text: string) => (text.startsWith(bos) ? text.slice(bos.length) : text)
  const { start, system, user, assistant } = parts
  if (bos === '' || start !== '' || !user[0].startsWith(bos)) {
    return { ...parts, start: cut(start), system: system && [cut(system[0]), system[1]] }
  }
  // a template that begins each question with it: then it ends what comes before
  return {
    ...parts,
    system: system && [cut(system[0]), system[1] + bos],
    user: [cut(user[0]), user[1]],
    assistant: [assistant[0], assistant[1] + bos],
  }
}

/** As a template of Go, which Ollama gives the system texts and the messages. */
function formatTemplate({ start, system, user, assistant, opening }: ChatParts): string {
  const around = (name: string, [before, after]: [string, string]) =>
    `${formatGo(before)}{{ ${name} }}${formatGo(after)}`
  const head =
    system === undefined
      ? formatGo(start)
      : `{{ if .System }}${around('.System', system)}{{ else }}${formatGo(start)}{{ end }}`
  const turns = `{{ if eq .Role "user" }}${around('.Content', user)}{{ else if eq .Role "assistant" }}${around('.Content', assistant)}{{ end }}`
  return `${head}{{ range .Messages }}${turns}{{ end }}${formatGo(opening)}`
}

/** Text that stands for itself, in quotes if Go or the Modelfile would take it for something else. */
function formatGo(text: string): string {
  if (!/[{}"]|[^\n \p{L}\p{N}\p{P}\p{S}]/u.test(text)) return text
  const escaped = JSON.stringify(text).replace(/[^ \p{L}\p{N}\p{P}\p{S}]/gu, (character) =>
    [...character].map((one) => `\\U${one.codePointAt(0)!.toString(16).padStart(8, '0')}`).join(''),
  )
  return `{{ ${escaped} }}`
}

/** Texts of the tokens that end a turn or a text. */
function listStops(metadata: Written['metadata'], { generation }: Identity): string[] {
  const tokens = metadata.get('tokenizer.ggml.tokens')?.value
  const stated = ['eos', 'eot', 'eom'].map((role) => metadata.get(`tokenizer.ggml.${role}_token_id`)?.value)
  const ids = [...stated, generation.eos_token_id].flat().filter((id) => typeof id === 'number')
  const texts = ids.map((id) => (Array.isArray(tokens) ? tokens[id] : undefined))
  return [...new Set(texts.filter((text): text is string => typeof text === 'string' && text !== ''))]
}

/** The text of the licence, or what the card says of it. */
async function readLicenses({ source, folder, gguf }: LocatedModel, metadata: Written['metadata']): Promise<string[]> {
  const names = gguf === undefined ? source.names.filter((name) => /^licen[cs]e(\.(txt|md))?$/i.test(name)) : []
  await source.provide(names)
  const texts = await Promise.all(
    names.map(async (name) => readText(await resolveInside(folder, name), MOST_LICENSE_BYTES)),
  )
  const found = texts.filter((text) => text !== undefined)
  const stated = metadata.get('general.license')?.value
  return found.length > 0 || typeof stated !== 'string' ? found : [stated]
}

/** A line of the Modelfile; none, but a comment, if its value cannot be quoted. */
function formatLine(instruction: string, value: string): string[] {
  const quoted = quoteValue(value)
  return [
    quoted === undefined
      ? `# ${instruction}: its text has quotes that a Modelfile cannot hold`
      : `${instruction} ${quoted}`,
  ]
}

function quoteOrRefuse(value: string): string {
  const quoted = /[\n\r]/.test(value) ? undefined : quoteValue(value)
  if (quoted !== undefined) return quoted
  throw new LayerpruneError(`a Modelfile cannot name the file ${value}`, {
    hint: 'give the output folder a name without quotes and line breaks',
  })
}

/** @returns undefined if no quotes of a Modelfile hold it */
function quoteValue(value: string): string | undefined {
  if (!value.includes('"')) return `"${value}"`
  return value.includes('"""') || /^"|"$/.test(value) ? undefined : `"""${value}"""`
}
