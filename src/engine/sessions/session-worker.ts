/** A process that loads sessions of ONNX Runtime and runs them. Graphs, feeds and outputs come and go in its pipe. */
import '../no-telemetry.js'
import { readSync, write } from 'node:fs'
import { promisify } from 'node:util'
import ort, { type InferenceSession, type Tensor } from 'onnxruntime-node'
import { answerRequests, PIPE_DESCRIPTOR } from '../../base/answering-process.js'
import type { SessionAnswer, SessionRequest } from './session-process.js'
import { describeTensors, makeTensor, type TensorHeader } from './tensor-bytes.js'

const writeSome = promisify(write)
const opened = new Map<number, InferenceSession>()

/** Room for feeds that the last run no longer needs. */
let used: Uint8Array<ArrayBuffer>[] = []

/** Settles when the outputs so far have been written. */
let writing: Promise<unknown> = Promise.resolve()

answerRequests(async (request: SessionRequest): Promise<SessionAnswer> => {
  if (request.task === 'release') {
    await opened.get(request.session)?.release()
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
  opened.set(number, session)
  return { inputNames: session.inputNames, outputNames: session.outputNames }
}

async function run({ session: number, feeds }: Extract<SessionRequest, { task: 'run' }>): Promise<SessionAnswer> {
  const tensors = feeds.map((header): [string, Tensor] => [
    header.name,
    makeTensor(ort, header, read(takeBuffer(header))),
  ])
  const { headers, contents } = describeTensors(await opened.get(number)!.run(Object.fromEntries(tensors)))
  used = tensors.map(([, { data }]) => new Uint8Array((data as Float32Array<ArrayBuffer>).buffer))
  writing = writing.then(() => writeAll(contents))
  return { outputs: headers }
}

/** Room for a feed: that of the run before if one has the same size. */
function takeBuffer({ byteLength }: TensorHeader): Uint8Array<ArrayBuffer> {
  const place = used.findIndex(({ length }) => length === byteLength)
  return place === -1 ? new Uint8Array(byteLength) : used.splice(place, 1)[0]!
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
