import type { Socket } from 'node:net'
import type { InferenceSession, Tensor } from 'onnxruntime-node'
import { AnsweringProcess } from '../../base/answering-process.js'
import { LayerpruneError } from '../../base/errors.js'
import { describeTensors, makeTensor, type TensorHeader } from './tensor-bytes.js'

/** A session that runs in this process or another. */
export interface Session {
  readonly inputNames: readonly string[]
  readonly outputNames: readonly string[]
  run(feeds: Record<string, Tensor>): Promise<InferenceSession.ReturnType>
  release(): Promise<void>
}

/** The bytes of the graph or of the feeds follow in the pipe. */
export type SessionRequest =
  | { task: 'open'; session: number; byteLength: number; options: InferenceSession.SessionOptions }
  | { task: 'run'; session: number; feeds: TensorHeader[] }
  | { task: 'release'; session: number }

/** The bytes of the outputs follow in the pipe. */
export type SessionAnswer =
  | { inputNames: readonly string[]; outputNames: readonly string[] }
  | { outputs: TensorHeader[] }
  | { failure: string }
  | null

interface Started {
  process: AnsweringProcess<SessionRequest, SessionAnswer>
  pipe: Socket
  chunks: AsyncIterator<Buffer>
}

/**
 * A process that loads and runs sessions of ONNX Runtime, which hold its thread, so that this one goes on and an abort
 * ends them at once. It starts when the first is opened. A lack of memory ends that process alone.
 */
export class SessionProcess {
  readonly #signal: AbortSignal | undefined
  #started: Started | undefined
  #rest: Uint8Array = new Uint8Array(0)
  /** Settles when the contents of the answers so far have been read. */
  #reading: Promise<unknown> = Promise.resolve()
  #count = 0

  /** @param signal  once it is aborted, the process ends and what waits for it is rejected with the reason */
  constructor(signal?: AbortSignal | undefined) {
    this.#signal = signal
    signal?.addEventListener('abort', this.end)
  }

  /** Loads a serialised graph. Throws as ONNX Runtime does, and LayerpruneError if the process ends. */
  async open(model: Uint8Array, options: InferenceSession.SessionOptions): Promise<Session> {
    const session = this.#count++
    const answer = await this.#ask({ task: 'open', session, byteLength: model.byteLength, options }, [model])
    const { inputNames, outputNames } = answer as { inputNames: string[]; outputNames: string[] }
    return {
      inputNames,
      outputNames,
      run: (feeds) => this.#run(session, feeds),
      release: async () => {
        if (this.#started?.process.isEnded === false) await this.#ask({ task: 'release', session }, [])
      },
    }
  }

  end = (): void => {
    this.#signal?.removeEventListener('abort', this.end)
    this.#started?.process.end(this.#signal?.reason)
  }

  #start(): Started {
    if (this.#started !== undefined) return this.#started
    const process = new AnsweringProcess<SessionRequest, SessionAnswer>('engine/sessions/session-worker.js', {
      hasPipe: true,
    })
    const pipe = process.pipe!
    this.#started = { process, pipe, chunks: pipe[Symbol.asyncIterator]() }
    return this.#started
  }

  async #run(session: number, feeds: Record<string, Tensor>): Promise<InferenceSession.ReturnType> {
    const { headers, contents } = describeTensors(feeds)
    const answer = await this.#ask({ task: 'run', session, feeds: headers }, contents)
    const reading = this.#reading.then(() => this.#readOutputs((answer as { outputs: TensorHeader[] }).outputs))
    this.#reading = reading.catch(() => {})
    return reading
  }

  async #ask(request: SessionRequest, contents: Uint8Array[]): Promise<SessionAnswer> {
    this.#signal?.throwIfAborted()
    const { process, pipe } = this.#start()
    if (process.isEnded) throw explainEnd()
    const answering = process.ask(request, this, explainEnd)
    for (const bytes of contents) pipe.write(bytes)
    const answer = await answering
    if (answer !== null && 'failure' in answer) throw new Error(answer.failure)
    return answer
  }

  async #readOutputs(headers: TensorHeader[]): Promise<InferenceSession.ReturnType> {
    const ort = await import('onnxruntime-node')
    const outputs: Record<string, Tensor> = {}
    const { pipe } = this.#start()
    pipe.ref()
    for (const header of headers) {
      const bytes = new Uint8Array(header.byteLength)
      await this.#fill(bytes)
      outputs[header.name] = makeTensor(ort, header, bytes)
    }
    pipe.unref()
    return outputs
  }

  async #fill(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      if (this.#rest.length === 0) {
        const { done: isOver, value } = await this.#start().chunks.next()
        this.#signal?.throwIfAborted()
        if (isOver) throw explainEnd()
        this.#rest = value
      }
      const part = this.#rest.subarray(0, bytes.length - done)
      bytes.set(part, done)
      done += part.length
      this.#rest = this.#rest.subarray(part.length)
    }
  }
}

function explainEnd(): LayerpruneError {
  return new LayerpruneError('the process that runs the model has ended: the system may have had no memory left', {
    hint: 'free some memory, or run fewer or shorter texts at once: `batchSize`, `maxLength`',
  })
}
