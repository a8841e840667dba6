/** A thread that loads the tokenizer of a folder and answers each text that it is sent with its token ids. */
import { parentPort, workerData } from 'node:worker_threads'
import { LayerpruneError } from '../errors.js'
import { loadTokenizer } from './tokenizer.js'
import type { TokenizerAnswer, TokenizerRequest } from './tokenizer-thread.js'

const port = parentPort!
const answer = (message: TokenizerAnswer) => port.postMessage(message)

try {
  const { encode } = await loadTokenizer(workerData as string)
  port.on('message', ({ text, maxLength }: TokenizerRequest) => answer({ ids: encode(text, maxLength) }))
  answer({ ids: [] })
} catch (error) {
  if (!(error instanceof LayerpruneError)) throw error
  answer({ failure: error.message, hint: error.hint })
}
