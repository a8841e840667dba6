/** A thread that answers each planned matrix with its int8 form; packed weights are decoded where ONNX Runtime is. */
import { parentPort } from 'node:worker_threads'
import { LayerpruneError } from '../../base/errors.js'
import type { WorkerAnswer, WorkerTask } from './make-matrices.js'
import { type Decode, makeMatrix } from './make-matrix.js'

const port = parentPort!

let receive: (decoded: Float32Array) => void

const decode: Decode = (expression) =>
  new Promise((resolve) => {
    receive = resolve
    port.postMessage({ wanted: expression } satisfies WorkerAnswer)
  })

port.on('message', async (task: WorkerTask) => {
  if ('decoded' in task) return receive(task.decoded)
  try {
    const made = await makeMatrix(task, decode)
    const buffers = [made.values, made.scales, ...(made.residuals ? [made.residuals] : [])].map(({ buffer }) => buffer)
    port.postMessage({ made } satisfies WorkerAnswer, buffers)
  } catch (error) {
    if (!(error instanceof LayerpruneError)) throw error
    port.postMessage({ failure: error.message, hint: error.hint } satisfies WorkerAnswer)
  }
})
