/** A process that answers texts with their token ids, and token ids with text, and loads the tokenizers for that. */
import { LayerpruneError } from '../../base/errors.js'
import { loadTokenizer, type Tokenizer } from './tokenizer.js'
import type { TokenizerAnswer, TokenizerRequest, TokenizerResult, TokenizerTask } from './tokenizer-process.js'

const tokenizers = new Map<number, Promise<Tokenizer>>()

// Ctrl-C reaches the whole group of processes: the parent decides what becomes of this one
process.on('SIGINT', () => {})
process.on('disconnect', () => process.exit())
process.on('message', async (request: TokenizerRequest) => {
  if ('close' in request) tokenizers.delete(request.close)
  else process.send?.(await answer(request))
})

async function answerTask(
  { encode, encodePlain, decode, findPrefix }: Tokenizer,
  task: TokenizerTask,
): Promise<TokenizerResult> {
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
    return { number, result: await answerTask(await loading, task) }
  } catch (error) {
    if (error instanceof LayerpruneError) return { number, failure: error.message, hint: error.hint }
    return { number, failure: `the tokenizer in ${folder}: ${(error as Error).message}`, hint: undefined }
  }
}
