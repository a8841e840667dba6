import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import type { Worker } from 'node:worker_threads'
import { LayerpruneError } from '../../base/errors.js'
import { startThread } from '../../base/start-thread.js'
import type { WeightExpression } from '../../files/checkpoint/weight-expression.js'
import { readExpression } from '../sessions/read-floats.js'
import { makeMatrix, type PlannedMatrix } from './make-matrix.js'
import type { Int8Matrix } from './round-matrix.js'

/** A matrix to make, or the numbers that the worker asked for. */
export type WorkerTask = PlannedMatrix | { decoded: Float32Array }

type FinalAnswer = { made: Int8Matrix } | { failure: string; hint: string | undefined }

export type WorkerAnswer = FinalAnswer | { wanted: WeightExpression }

/** Each worker holds a matrix in float32. */
const MOST_WORKERS = 4

/** Rounding this many numbers takes as long as starting another thread. */
const NUMBERS_OF_WORKER = 1e6

/**
 * Quantises matrices to int8, in threads if there are enough numbers, and yields each as soon as it is made.
 * @throws LayerpruneError if a matrix cannot be made
 */
export async function* makeMatrices(
  matrices: PlannedMatrix[],
  signal?: AbortSignal,
): AsyncGenerator<{ matrix: PlannedMatrix; made: Int8Matrix }> {
  const numbers = matrices.reduce((sum, { inputs, outputs }) => sum + inputs * outputs, 0)
  if (numbers < NUMBERS_OF_WORKER) return yield* makeHere(matrices, signal)
  const worthwhile = Math.ceil(numbers / NUMBERS_OF_WORKER)
  const count = Math.min(MOST_WORKERS, availableParallelism(), matrices.length, worthwhile)
  const workers = Array.from({ length: count }, () => startThread('engine/int8/matrix-worker.js', {}))
  const waiting = [...matrices]
  const running = new Map<Worker, ReturnType<typeof askWorker>>()
  const startNext = (worker: Worker) => {
    const matrix = waiting.shift()
    if (matrix === undefined) return
    const asked = askWorker(worker, matrix)
    // threads that are still at work when the run ends are ended too
    asked.catch(() => {})
    running.set(worker, asked)
  }
  try {
    for (const worker of workers) startNext(worker)
    while (running.size > 0) {
      const { worker, matrix, answer } = await Promise.race(running.values())
      signal?.throwIfAborted()
      if ('failure' in answer)
        throw new LayerpruneError(answer.failure, answer.hint === undefined ? {} : { hint: answer.hint })
      running.delete(worker)
      startNext(worker)
      yield { matrix, made: answer.made }
    }
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
}

async function* makeHere(
  matrices: PlannedMatrix[],
  signal: AbortSignal | undefined,
): AsyncGenerator<{ matrix: PlannedMatrix; made: Int8Matrix }> {
  for (const matrix of matrices) {
    signal?.throwIfAborted()
    yield { matrix, made: await makeMatrix(matrix, readExpression) }
  }
}

async function askWorker(worker: Worker, matrix: PlannedMatrix) {
  worker.postMessage(matrix)
  let answer = await receiveAnswer(worker)
  while ('wanted' in answer) {
    const decoded = await readExpression(answer.wanted)
    worker.postMessage({ decoded } satisfies WorkerTask, [decoded.buffer as ArrayBuffer])
    answer = await receiveAnswer(worker)
  }
  return { worker, matrix, answer }
}

/** @throws LayerpruneError if the thread ends instead, as when it has no memory left */
async function receiveAnswer(worker: Worker): Promise<WorkerAnswer> {
  const rest = new AbortController()
  const { signal } = rest
  const answered = once(worker, 'message', { signal }).then(([answer]) => answer as WorkerAnswer)
  const ended = once(worker, 'exit', { signal }).then(() => {
    throw threadEnded()
  })
  try {
    return await Promise.race([answered, ended])
  } catch (cause) {
    throw (cause as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY' ? threadEnded(cause) : cause
  } finally {
    rest.abort()
  }
}

function threadEnded(cause?: unknown): LayerpruneError {
  return new LayerpruneError('a thread that makes int8 weights has ended: the system may have had no memory left', {
    hint: 'free some memory, or omit `dtype: q8`',
    cause,
  })
}
