import { isObject } from '../../../base/is-object.js'
import { type AddedToken, refuseTokenizer, type WrittenTokenizer } from './written-tokenizer.js'

/** Roles by the names that a tokenizer's config and a file give them. */
const ROLES = [
  ['bos', 'bos'],
  ['eos', 'eos'],
  ['unk', 'unknown'],
  ['sep', 'seperator'],
  ['pad', 'padding'],
  ['cls', 'cls'],
  ['mask', 'mask'],
] as const

type Role = (typeof ROLES)[number][0]

export interface SpecialTokens {
  /** Ids by the roles that a file names; llama.cpp spells one `seperator`. */
  ids: Map<string, number>
  /** Whether such a token is added to texts. */
  adds: Map<string, boolean>
}

/**
 * The tokens with roles, and which of them the tokenizer puts around a text.
 * @throws LayerpruneError if it starts texts with another token than the one for that
 */
export function listSpecialTokens(files: WrittenTokenizer, added: AddedToken[]): SpecialTokens {
  const { tokenizer, config, model } = files
  const idOf = (content: string | undefined) => added.find((token) => token.content === content)?.id
  const named = (role: Role) => textOf(config[`${role}_token`])
  const around = readAround(tokenizer.post_processor)
  const ids = new Map<string, number>()
  const adds = new Map<string, boolean>()
  if (around.first !== undefined && around.first !== (named('bos') ?? around.first)) {
    throw refuseTokenizer(`it starts texts with ${around.first}, but its token for that is ${named('bos')}`)
  }
  // llama.cpp's default depends on how texts are split
  adds.set('bos', around.hasTemplate ? around.first !== undefined : config.add_bos_token === true)
  if (!around.hasTemplate && config.add_eos_token === true) adds.set('eos', true)
  if (around.last !== undefined) adds.set('eos', around.last === (named('eos') ?? around.last))
  for (const [role, name] of ROLES) {
    const ends = role === 'bos' ? around.first : role === 'eos' ? around.last : undefined
    const id = idOf(named(role) ?? ends) ?? model[`${role}_token_id`]
    if (typeof id === 'number') ids.set(name, id)
  }
  return { ids, adds }
}

interface Around {
  /** Whether it is stated at all. */
  hasTemplate: boolean
  first?: string
  last?: string
}

/** The tokens that a post-processor puts before and after a text. */
function readAround(processor: unknown): Around {
  if (!isObject(processor)) return { hasTemplate: false }
  const parts = Array.isArray(processor.processors) ? processor.processors.filter(isObject) : [processor]
  const template = parts.find(({ type }) => type === 'TemplateProcessing')
  const single = Array.isArray(template?.single) ? template.single : []
  const [first, last] = single.length > 1 ? [single[0], single.at(-1)].map(specialToken) : []
  return {
    hasTemplate: template !== undefined,
    ...(first !== undefined && { first }),
    ...(last !== undefined && { last }),
  }
}

function specialToken(part: unknown): string | undefined {
  if (!isObject(part) || !isObject(part.SpecialToken)) return undefined
  return textOf(part.SpecialToken.id)
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  return isObject(value) && typeof value.content === 'string' ? value.content : undefined
}
