/** A process that answers texts with their token ids, and token ids with text, and loads the tokenizers for that. */
import { answerRequests } from '../../base/answering-process.js'
import { LayerpruneError } from '../../base/errors.js'
import { loadTokenizer, type Tokenizer } from './tokenizer.js'
import type { TokenizerRequest, TokenizerResult, TokenizerTask } from './tokenizer-process.js'

const tokenizers = new Map<number, Promise<Tokenizer>>()

answerRequests(async ({ tokenizer, folder, task }: TokenizerRequest): Promise<TokenizerResult> => {
  if (task === 'close') {
    tokenizers.delete(tokenizer)
    return null
  }
  const loading = tokenizers.get(tokenizer) ?? loadTokenizer(folder)
  tokenizers.set(tokenizer, loading)
  try {
    return await answerTask(await loading, task)
  } catch (error) {
    if (error instanceof LayerpruneError) throw error
    throw new LayerpruneError(`the tokenizer in ${folder}: ${(error as Error).message}`, { cause: error })
  }
})

async function answerTask(
  { encode, encodePlain, decode, findPrefix }: Tokenizer,
  task: Exclude<TokenizerTask, 'close'>,
): Promise<TokenizerResult> {
  if (task === null) return []
  if (task === 'prefix') return findPrefix()
  if ('ids' in task) return decode(task.ids)
  const { text, maxLength, addSpecialTokens } = task
  return maxLength === null ? encodePlain(text) : encode(text, maxLength, addSpecialTokens)
}
