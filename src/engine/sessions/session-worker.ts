/** A process that loads sessions of ONNX Runtime and runs them. Graphs, feeds and outputs come and go in its pipe. */
import '../no-telemetry.js'
import { readSync, write } from 'node:fs'
import { promisify } from 'node:util'
import ort, { type InferenceSession, type Tensor } from 'onnxruntime-node'
import { answerRequests, PIPE_DESCRIPTOR } from '../../base/answering-process.js'
import type { SessionAnswer, SessionRequest } from './session-process.js'
import { describeTensors, makeTensor, type TensorHeader } from './tensor-bytes.js'

interface Opened {
  session: InferenceSession
  /** Room for the feeds, by name. */
  buffers: Map<string, Uint8Array<ArrayBuffer>>
}

const writeSome = promisify(write)
const opened = new Map<number, Opened>()

/** Settles when the outputs so far have been written. */
let writing: Promise<unknown> = Promise.resolve()

answerRequests(async (request: SessionRequest): Promise<SessionAnswer> => {
  if (request.task === 'release') {
    await opened.get(request.session)?.session.release()
    opened.delete(request.session)
    return null
  }
  try {
    return request.task === 'open' ? await open(request) : await run(request)
  } catch (error) {
    return { failure: (error as Error).message }
  }
})

async function open({
  session: number,
  byteLength,
  options,
}: Extract<SessionRequest, { task: 'open' }>): Promise<SessionAnswer> {
  const session = await ort.InferenceSession.create(read(new Uint8Array(byteLength)), options)
  opened.set(number, { session, buffers: new Map() })
  return { inputNames: session.inputNames, outputNames: session.outputNames }
}

async function run({ session: number, feeds }: Extract<SessionRequest, { task: 'run' }>): Promise<SessionAnswer> {
  const { session, buffers } = opened.get(number)!
  const tensors = feeds.map((header): [string, Tensor] => [
    header.name,
    makeTensor(ort, header, read(takeBuffer(buffers, header))),
  ])
  const { headers, contents } = describeTensors(await session.run(Object.fromEntries(tensors)))
  writing = writing.then(() => writeAll(contents))
  return { outputs: headers }
}

function takeBuffer(buffers: Opened['buffers'], { name, byteLength }: TensorHeader): Uint8Array<ArrayBuffer> {
  const known = buffers.get(name)
  if (known?.length === byteLength) return known
  const made = new Uint8Array(byteLength)
  buffers.set(name, made)
  return made
}

/** Reads at once, so that what follows in the pipe is that of the next request. */
function read(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  for (let done = 0; done < bytes.length; ) {
    const count = readSync(PIPE_DESCRIPTOR, bytes, done, bytes.length - done, null)
    if (count === 0) process.exit()
    done += count
  }
  return bytes
}

async function writeAll(contents: Uint8Array[]): Promise<void> {
  for (const bytes of contents) {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await writeSome(PIPE_DESCRIPTOR, bytes, done, bytes.length - done, null)
      done += bytesWritten
    }
  }
}
