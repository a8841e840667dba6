import { LayerpruneError } from '../../base/errors.js'
import { isObject } from '../../base/is-object.js'

/** What data in the form of ShareGPT call the speakers, as chat templates know them. */
const ROLES: Record<string, string> = {
  ...{ system: 'system', human: 'user', user: 'user' },
  ...{ gpt: 'assistant', assistant: 'assistant', model: 'assistant', chatgpt: 'assistant', bot: 'assistant' },
  ...{ tool: 'tool', observation: 'tool' },
}

/**
 * The turns of a chat in the form that chat templates take: `{ role, content }`, from that form or from
 * `{ from, value }`; a content of several texts is joined.
 * @returns undefined if a part of a turn is no text, such as an image
 * @throws LayerpruneError if the role of a speaker is not known
 */
export function readTurns(chat: unknown[], origin: string): Record<string, unknown>[] | undefined {
  const turns = chat.map((turn) => readTurn(turn, origin))
  return turns.every((turn) => turn !== undefined) ? turns : undefined
}

function readTurn(turn: unknown, origin: string): Record<string, unknown> | undefined {
  if (!isObject(turn)) return undefined
  if (typeof turn.role === 'string') {
    const content = readContent(turn.content)
    return content === undefined ? undefined : { ...dropMissing(turn), content }
  }
  const { from, value } = turn
  if (typeof from !== 'string' || typeof value !== 'string') return undefined
  const role = ROLES[from.toLowerCase()]
  if (role !== undefined) return { role, content: value }
  throw new LayerpruneError(
    `${origin}: the speaker '${from}' of a chat is not known: expected ${Object.keys(ROLES).join(', ')}`,
  )
}

/** A turn that calls tools may have no text. */
function readContent(content: unknown): string | null | undefined {
  if (typeof content === 'string') return content
  if (content === null || content === undefined) return null
  if (!Array.isArray(content)) return undefined
  const texts = content.map((part: unknown) => (isObject(part) ? part.text : part))
  return texts.every((text) => typeof text === 'string') ? texts.join('') : undefined
}

/** Parquet files have every field in every turn, null if it says nothing. */
function dropMissing(turn: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(turn).filter(([, value]) => value !== null && value !== undefined))
}
