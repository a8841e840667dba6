/** A thread that answers texts with their token ids, and token ids with text, and loads the tokenizers for that. */
import { parentPort } from 'node:worker_threads'
import { cleanLibraryLogs } from '../clean-library-logs.js'
import { LayerpruneError } from '../errors.js'
import { loadTokenizer, type Tokenizer } from './tokenizer.js'
import type { TokenizerAnswer, TokenizerRequest } from './tokenizer-thread.js'

cleanLibraryLogs()
const port = parentPort!
const tokenizers = new Map<number, Promise<Tokenizer>>()

port.on('message', async (request: TokenizerRequest) => {
  if ('close' in request) tokenizers.delete(request.close)
  else port.postMessage(await answer(request))
})

async function answer(request: Extract<TokenizerRequest, { number: number }>): Promise<TokenizerAnswer> {
  const { number, tokenizer, folder, task } = request
  const loading = tokenizers.get(tokenizer) ?? loadTokenizer(folder)
  tokenizers.set(tokenizer, loading)
  try {
    const { encode, decode } = await loading
    if (task === null) return { number, result: [] }
    return { number, result: 'ids' in task ? decode(task.ids) : encode(task.text, task.maxLength) }
  } catch (error) {
    if (!(error instanceof LayerpruneError)) throw error
    return { number, failure: error.message, hint: error.hint }
  }
}
