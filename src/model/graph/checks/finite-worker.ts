/** A thread that checks the weights of each graph it is sent. */
import { parentPort } from 'node:worker_threads'
import { LayerpruneError } from '../../../base/errors.js'
import { type ModelProto, parseModel } from '../onnx/onnx.js'
import type { FiniteAnswer, FiniteTask } from './finite-thread.js'
import { assertFiniteWeights } from './finite-weights.js'

const port = parentPort!
let last = Promise.resolve()

port.on('message', (task: FiniteTask) => {
  last = last.then(async () => port.postMessage(await answer(task)))
})

async function answer({ number, model, weightsFolder, tensors }: FiniteTask): Promise<FiniteAnswer> {
  try {
    const decoder = { model: parseModel(model) as ModelProto, weightsFolder, states: [] }
    await assertFiniteWeights(decoder, { tensors })
    return { number }
  } catch (error) {
    if (!(error instanceof LayerpruneError)) throw error
    return { number, failure: error.message, ...(error.hint !== undefined && { hint: error.hint }) }
  }
}
