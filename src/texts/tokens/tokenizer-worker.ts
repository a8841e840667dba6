/** A thread that answers texts with their token ids, and token ids with text, and loads the tokenizers for that. */
import { parentPort } from 'node:worker_threads'
// every tokenizer needs it: it is loaded before one is asked for
import '@huggingface/transformers'
import { cleanLibraryLogs } from '../../base/clean-library-logs.js'
import { LayerpruneError } from '../../base/errors.js'
import { loadTokenizer, type Tokenizer } from './tokenizer.js'
import type { TokenizerAnswer, TokenizerRequest, TokenizerResult, TokenizerTask } from './tokenizer-thread.js'

cleanLibraryLogs()
const port = parentPort!
const tokenizers = new Map<number, Promise<Tokenizer>>()

port.on('message', async (request: TokenizerRequest) => {
  if ('close' in request) tokenizers.delete(request.close)
  else port.postMessage(await answer(request))
})

function answerTask(
  { encode, encodePlain, decode, findPrefix }: Tokenizer,
  task: TokenizerTask,
): TokenizerResult {
  if (task === null) return []
  if (task === 'prefix') return findPrefix()
  if ('ids' in task) return decode(task.ids)
  const { text, maxLength, addSpecialTokens } = task
  return maxLength === null ? encodePlain(text) : encode(text, maxLength, addSpecialTokens)
}

async function answer(request: Extract<TokenizerRequest, { number: number }>): Promise<TokenizerAnswer> {
  const { number, tokenizer, folder, task } = request
  const loading = tokenizers.get(tokenizer) ?? loadTokenizer(folder)
  tokenizers.set(tokenizer, loading)
  try {
    return { number, result: answerTask(await loading, task) }
  } catch (error) {
    if (!(error instanceof LayerpruneError)) throw error
    return { number, failure: error.message, hint: error.hint }
  }
}
