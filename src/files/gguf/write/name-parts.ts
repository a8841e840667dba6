/** What the name of a model says of it, as llama.cpp's converter reads it. */
export interface NameParts {
  /** After the organization, as it is. */
  name: string
  organization?: string | undefined
  basename?: string | undefined
  finetune?: string | undefined
  version?: string | undefined
  sizeLabel?: string | undefined
}

type Kind = 'basename' | 'finetune' | 'size' | 'type' | 'version'

interface Part {
  text: string
  kinds: Set<Kind>
}

const VERSION = /^(v|iter)?\d+(\.\d+)*$/i
const TYPE = /^(i?q\d(_\w)*|b?fp?(16|32))$/i
const SIZE = /^((a|\d+x)?\d+([._]\d+)?[kmbt]\d?|small|mini|medium|large|x?xl)$/i
const FINETUNE = /^(chat|instruct|vision|lora)$/i

/**
 * Takes a name such as `org/SmolLM2-135M-Instruct-v0.2` apart.
 * @param parameters  of the model: a number in its name that is far from it is no size
 * @see gguf-py/gguf/metadata.py of llama.cpp
 */
export function splitName(id: string, parameters: number): NameParts {
  if (id.includes(' ')) return { name: id }
  const slash = id.indexOf('/')
  const name = id.slice(slash + 1)
  const organization = slash < 0 || id.startsWith('.') ? undefined : id.slice(0, slash)
  const parts = name
    .split('-')
    .filter((text) => text !== '')
    .map((text, index) => readPart(text, index, parameters))
  dropWordSizes(parts)
  markBasename(parts)
  const join = (kind: Kind, some = parts) => {
    const texts = some.filter(({ kinds }) => kinds.has(kind)).map(({ text }) => text)
    return texts.length > 0 ? [...(kind === 'size' ? new Set(texts) : texts)].join('-') : undefined
  }
  const found = {
    finetune: join('finetune'),
    version: join(
      'version',
      parts.filter(({ kinds }) => !kinds.has('basename')),
    ),
    sizeLabel: join('size'),
  }
  const isPlain = Object.values(found).every((value) => value === undefined)
  return { name, organization, ...found, basename: isPlain ? undefined : join('basename') }
}

function readPart(text: string, index: number, parameters: number): Part {
  if (VERSION.test(text)) return { text, kinds: new Set(['version']) }
  if (TYPE.test(text)) return { text: text.toUpperCase(), kinds: new Set(['type']) }
  if (index > 0 && SIZE.test(text)) return readSize(text, parameters)
  return { text, kinds: new Set(index > 0 && FINETUNE.test(text) ? ['finetune'] : []) }
}

/** `135m` is 135M, and `7b1` is 7.1B; a number far from the parameters is a length of texts, `128k`. */
function readSize(stated: string, parameters: number): Part {
  const plain = stated.replace('_', '.').replace(/(.)(\d)$/, '.$2$1')
  const text = plain.replace(/(?<=\d)[kmbt]$/, (unit) => unit.toUpperCase())
  const number = /^\d+(\.\d+)?$/.test(text.slice(0, -1)) ? Number(text.slice(0, -1)) : undefined
  const size = number === undefined ? parameters : number * 1000 ** ' KMBT'.indexOf(text.at(-1)!)
  const isNear = Math.abs(size - parameters) <= Math.floor((7 * parameters) / 8)
  if (isNear) return { text, kinds: new Set(['size']) }
  return { text: text.slice(0, -1) + text.at(-1)!.toLowerCase(), kinds: new Set(['finetune']) }
}

/** Beside a number, `small` and its like are no size. */
function dropWordSizes(parts: Part[]): void {
  const sizes = parts.filter(({ kinds }) => kinds.has('size'))
  if (!sizes.some(({ text }) => /\d/.test(text))) return
  for (const { text, kinds } of sizes) if (/^\p{L}+$/u.test(text)) kinds.delete('size')
}

/** The words and versions that a name begins with are its basename, but for a version at the end of the name. */
function markBasename(parts: Part[]): void {
  let isStart = true
  for (const { text, kinds } of parts) {
    if (isStart && ((kinds.size === 0 && /^\p{L}/u.test(text)) || kinds.has('version'))) {
      kinds.add('basename')
      continue
    }
    isStart = false
    if (kinds.size === 0) kinds.add('finetune')
  }
  const last = parts.findLastIndex(({ kinds }) => !(kinds.has('basename') && kinds.size > 1))
  for (const { kinds } of parts.slice(last + 1)) kinds.delete('basename')
}

/** Words of a name with capitals: `smol-135M-v2` is `Smol 135M v2`. */
export function formatTitle(name: string): string {
  const words = name.replaceAll('-', ' ').split(/\s+/)
  return words
    .filter((word) => word !== '')
    .map(capitalize)
    .join(' ')
}

function capitalize(word: string): string {
  const isLower = word === word.toLowerCase() && word !== word.toUpperCase()
  if (!isLower || /^(v\d+(\.\d+)*$|\d)/.test(word)) return word
  return word.replace(/(?<!\p{L})\p{L}/gu, (letter) => letter.toUpperCase())
}
