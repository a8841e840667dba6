import { LayerpruneError } from '../../base/errors.js'
import { readTurns } from './chat-turns.js'

/**
 * Writes a chat as the text that the model was trained on, special tokens included.
 * @param origin  of the chat, for messages
 */
export type WriteChat = (chat: unknown[], origin: string) => Promise<string | undefined>

/**
 * Writes chats by the template of a model, which is read when the first chat comes.
 * @param place  folder with the tokenizer, or GGUF file
 * @returns a function that gives undefined for a chat with parts other than text
 * @throws LayerpruneError when called, if the model has no template, or the template refuses the chat
 */
export function createChatWriter(place: () => string): WriteChat {
  let opened: Promise<(messages: unknown[]) => string> | undefined
  return async (chat, origin) => {
    const turns = readTurns(chat, origin)
    if (turns === undefined) return undefined
    opened ??= import('./chat-template.js').then(({ openTemplate }) => openTemplate(place()))
    const render = await opened
    try {
      return render(turns)
    } catch (cause) {
      throw new LayerpruneError(
        `${origin}: the chat template of the model cannot write this chat: ${(cause as Error).message}`,
        { hint: 'remove the chat, or give it the turns that the template expects', cause },
      )
    }
  }
}
