/** A thread that answers each planned matrix with its int8 form. */
import { parentPort, workerData } from 'node:worker_threads'
import { LayerpruneError } from '../errors.js'
import type { WorkerAnswer, WorkerData } from './make-matrices.js'
import { makeMatrix, type PlannedMatrix } from './make-matrix.js'
import { Rotation } from './rotation.js'

const port = parentPort!
const { rotationSize } = workerData as WorkerData
const rotation = rotationSize === null ? null : new Rotation(rotationSize)

port.on('message', async (matrix: PlannedMatrix) => {
  try {
    const made = await makeMatrix(matrix, rotation)
    const buffers = [made.values, made.scales, ...(made.residuals ? [made.residuals] : [])].map(
      ({ buffer }) => buffer,
    )
    port.postMessage({ made } satisfies WorkerAnswer, buffers)
  } catch (error) {
    if (!(error instanceof LayerpruneError)) throw error
    port.postMessage({ failure: error.message, hint: error.hint } satisfies WorkerAnswer)
  }
})
