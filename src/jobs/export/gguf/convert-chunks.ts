import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import type { Worker } from 'node:worker_threads'
import { LayerpruneError } from '../../../base/errors.js'
import { startThread } from '../../../base/start-thread.js'
import { type Chunk, convertChunk } from './convert-chunk.js'

/** Each holds a chunk. */
const MOST_WORKERS = 4
/** Chunks that are waiting for a thread, so that none waits for the disk. */
const AHEAD = 2

/** Converts chunks in threads, several at a time, and yields their bytes in order. */
export async function* convertInThreads(chunks: AsyncIterable<Chunk>): AsyncGenerator<Uint8Array> {
  const count = Math.min(MOST_WORKERS, availableParallelism())
  const workers = Array.from({ length: count }, () => startThread('jobs/export/gguf/convert-worker.js', {}))
  const free = workers.map((worker) => Promise.resolve(worker))
  const running: Promise<Uint8Array>[] = []
  try {
    for await (const chunk of chunks) {
      running.push(convertInThread(free, chunk))
      if (running.length >= count + AHEAD) yield await running.shift()!
    }
    while (running.length > 0) yield await running.shift()!
  } finally {
    // what is still running when the reader stops fails, and nobody waits for it
    for (const promise of running) promise.catch(() => {})
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
}

/** Converts in the next thread that is free, and hands it on. */
function convertInThread(free: Promise<Worker>[], chunk: Chunk): Promise<Uint8Array> {
  const worker = free.shift()!
  const converted = worker.then(async (thread) => {
    const { numbers } = chunk
    const buffer = 'values' in numbers ? numbers.values.buffer : numbers.bytes.buffer
    thread.postMessage(chunk, [buffer as ArrayBuffer])
    return receive(thread)
  })
  const next = converted.then(() => worker)
  next.catch(() => {})
  free.push(next)
  converted.catch(() => {})
  return converted
}

async function receive(worker: Worker): Promise<Uint8Array> {
  const rest = new AbortController()
  const { signal } = rest
  try {
    return await Promise.race([
      once(worker, 'message', { signal }).then(([bytes]) => bytes as Uint8Array),
      once(worker, 'exit', { signal }).then(() => {
        throw new LayerpruneError('a thread that converts weights has ended: the system may have had no memory left', {
          hint: 'free some memory',
        })
      }),
    ])
  } finally {
    rest.abort()
  }
}

/** Converts one chunk after another in this thread. */
export async function* convertHere(chunks: AsyncIterable<Chunk>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) yield convertChunk(chunk)
}
