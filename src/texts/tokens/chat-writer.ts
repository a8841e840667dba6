import { LayerpruneError } from '../../base/errors.js'
import { LimitedProcess } from '../../base/limited-process.js'
import type { ChatTemplate } from './chat-template.js'
import { readTurns } from './chat-turns.js'

/**
 * Writes a chat as the text that the model was trained on, special tokens included.
 * @param origin  of the chat, for messages
 */
export type WriteChat = (chat: unknown[], origin: string) => Promise<string | undefined>

/** A chat to be written, or null if only the template is to be read. */
export interface ChatRequest extends ChatTemplate {
  turns: Record<string, unknown>[] | null
  /** Whether the assistant's next turn is begun. */
  isOpen?: boolean | undefined
}

const templates = new LimitedProcess<ChatRequest, string>('texts/tokens/chat-worker.js')

/** What a template writes; undefined if it refuses the chat, or takes too long or too much memory. */
export async function tryTemplate(request: ChatRequest, signal: AbortSignal | undefined): Promise<string | undefined> {
  try {
    return await templates.ask(request, { what: 'the chat template cannot write a chat', signal })
  } catch (cause) {
    if (cause instanceof LayerpruneError && !signal?.aborted) return undefined
    throw cause
  }
}

/**
 * Writes chats by the template of a model, which is read when the first chat comes.
 * @param place   folder with the tokenizer, or GGUF file
 * @param signal  once it is aborted, a template that still runs is given up
 * @returns a function that gives undefined for a chat with parts other than text
 * @throws LayerpruneError when called, if the model has no template, or the template is not understood, refuses the
 *   chat, or takes too long or too much memory
 */
export function createChatWriter(place: () => string, signal?: AbortSignal | undefined): WriteChat {
  let opened: Promise<ChatTemplate> | undefined
  return async (chat, origin) => {
    const turns = readTurns(chat, origin)
    if (turns === undefined) return undefined
    opened ??= openTemplate(place(), signal)
    const what = `${origin}: the chat template of the model cannot write this chat`
    const hint = 'remove the chat, or give it the turns that the template expects'
    return templates.ask({ ...(await opened), turns }, { what, hint, signal })
  }
}

async function openTemplate(place: string, signal: AbortSignal | undefined): Promise<ChatTemplate> {
  const { readChatTemplate, NO_TEMPLATE_HINT } = await import('./chat-template.js')
  const template = await readChatTemplate(place)
  const what = `the chat template in ${place} is not understood`
  await templates.ask({ ...template, turns: null }, { what, hint: NO_TEMPLATE_HINT, signal })
  return template
}
