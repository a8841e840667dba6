/** A thread that answers each chunk of a checkpoint with its bytes in the file to write. */
import { parentPort } from 'node:worker_threads'
import { type Chunk, convertChunk } from './convert-chunk.js'

const port = parentPort!

port.on('message', (chunk: Chunk) => {
  const bytes = convertChunk(chunk)
  port.postMessage(bytes, [bytes.buffer as ArrayBuffer])
})
