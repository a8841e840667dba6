import { isObject } from '../../../base/is-object.js'
import { CONTROL, NORMAL, UNUSED, USER_DEFINED } from '../tokenizer/vocabulary.js'
import { listSpecialTokens } from './special-tokens.js'
import { stateByteLevel } from './state-byte-level.js'
import { stateSentencePieces } from './state-sentence-pieces.js'
import { type AddedToken, refuseTokenizer, type TokenList, type WrittenTokenizer } from './written-tokenizer.js'
import { count, flag, integers, type Statements, text, texts } from './written-value.js'

/**
 * The tokenizer of a model in the metadata of a file: the inverse of `describeTokenizer`.
 * @param vocabulary rows of the table of embeddings; ids without a token get a name of their own
 * @throws LayerpruneError if a file cannot hold such a tokenizer
 */
export function stateTokenizer(files: WrittenTokenizer, vocabulary: number): Statements {
  const { tokenizer, config, chatTemplate } = files
  const model = isObject(tokenizer.model) ? tokenizer.model : {}
  if (model.type !== 'BPE') throw refuseTokenizer(`its model is ${String(model.type)}, not BPE`)
  const added = listAdded(tokenizer)
  const { tokens, types } = listTokens(model, added, vocabulary)
  const kind = stateKind(files, model, { tokens, types })
  const { ids, adds } = listSpecialTokens(files, added)
  const template = config.chat_template ?? chatTemplate
  return {
    ...kind,
    'tokenizer.ggml.tokens': texts(tokens),
    'tokenizer.ggml.token_type': integers(types),
    ...Object.fromEntries([...ids].map(([role, id]) => [`tokenizer.ggml.${role}_token_id`, count(id)])),
    ...Object.fromEntries([...adds].map(([role, is]) => [`tokenizer.ggml.add_${role}_token`, flag(is)])),
    ...stateTemplates(template),
  }
}

/** One template, or several by name, of which `default` is the one that is used. */
function stateTemplates(template: unknown): Statements {
  if (typeof template === 'string') return { 'tokenizer.chat_template': text(template) }
  const named = (Array.isArray(template) ? template : []).filter(isObject)
  const others = named.map(({ name }) => String(name)).filter((name) => name !== 'default')
  const stated = named.map(({ name, template }) => {
    const key = name === 'default' ? 'tokenizer.chat_template' : `tokenizer.chat_template.${String(name)}`
    return [key, text(String(template))]
  })
  return { ...(others.length > 0 && { 'tokenizer.chat_templates': texts(others) }), ...Object.fromEntries(stated) }
}

function stateKind(files: WrittenTokenizer, model: Record<string, unknown>, list: TokenList): Statements {
  if (model.byte_fallback === true) return stateSentencePieces(files, model, list)
  return stateByteLevel(files, model)
}

function listAdded({ added_tokens: added }: Record<string, unknown>): AddedToken[] {
  return (Array.isArray(added) ? added : []).filter(isObject).map(({ id, content, special }) => ({
    id: Number(id),
    content: String(content),
    special: special === true,
  }))
}

function listTokens(model: Record<string, unknown>, added: AddedToken[], vocabulary: number): TokenList {
  const tokens = Array.from({ length: vocabulary }, (_, id) => `[PAD${id}]`)
  const types = new Array<number>(vocabulary).fill(UNUSED)
  const place = (token: string, id: number, type: number) => {
    if (!(Number.isSafeInteger(id) && id >= 0 && id < vocabulary)) {
      throw refuseTokenizer(`token ${JSON.stringify(token)} has the id ${id}, but the model has ${vocabulary} tokens`)
    }
    tokens[id] = token
    types[id] = type
  }
  for (const [token, id] of Object.entries(isObject(model.vocab) ? model.vocab : {})) place(token, Number(id), NORMAL)
  for (const { id, content, special } of added) {
    const isControl = special || looksSpecial(content)
    place(isControl ? content : content.replaceAll('▁', ' '), id, isControl ? CONTROL : USER_DEFINED)
  }
  return { tokens, types }
}

/** Tokens that published files list as ordinary ones, though no text is meant to hold them; llama.cpp's list. */
function looksSpecial(token: string): boolean {
  return /^(<pad>|<mask>|<2mass>|\[@BOS@\]|<\|.*\|>|<｜.*｜>|<unused.*>)$/s.test(token)
}
