import type { Worker } from 'node:worker_threads'
import { startThread } from '../../base/start-thread.js'
import type { Bar } from './bar.js'
import type { ProgressLine } from './progress-line.js'

/** The line to show; null hides the bar. */
export interface BarRequest {
  number: number
  shown: { line: ProgressLine; width: number } | null
}

/** Holds the number of the last request handled. */
export type DrawnSignal = Int32Array<SharedArrayBuffer>

/** A thread that does not answer within this time counts as ended. */
const MOST_WAIT_MS = 2000

/** Heap for short-lived objects; V8 takes three times 16 MB if it may. */
const YOUNG_GENERATION_MB = 1

/** Milliseconds, the same in all threads. */
export function clockMs(): number {
  return performance.timeOrigin + performance.now()
}

let running: BarThread | undefined

/** A bar on this process's terminal, drawn by another thread; if that thread ends, none is drawn. */
export function openBarThread(fd: number, onFailure: (error: Error) => void): Bar {
  running ??= new BarThread(fd, onFailure)
  return running
}

class BarThread implements Bar {
  readonly #fd: number
  readonly #onFailure: (error: Error) => void
  #worker: Worker | undefined
  readonly #drawn: DrawnSignal = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  #requests = 0
  #isShown = false
  #hasFailed = false

  constructor(fd: number, onFailure: (error: Error) => void) {
    this.#fd = fd
    this.#onFailure = onFailure
  }

  show(line: ProgressLine, width: number): void {
    if (this.#hasFailed) return
    this.#isShown = true
    this.#ask({ line, width })
  }

  /** Returns once the line is off the screen, so that the caller can write. */
  hide(): void {
    if (!this.#isShown) return
    this.#isShown = false
    const number = this.#ask(null)
    const startMs = clockMs()
    for (let done = Atomics.load(this.#drawn, 0); done !== number; done = Atomics.load(this.#drawn, 0)) {
      const leftMs = startMs + MOST_WAIT_MS - clockMs()
      if (leftMs <= 0) return
      Atomics.wait(this.#drawn, 0, done, leftMs)
    }
  }

  #ask(shown: BarRequest['shown']): number {
    const number = ++this.#requests
    this.#worker ??= this.#start()
    this.#worker.postMessage({ number, shown } satisfies BarRequest)
    return number
  }

  #start(): Worker {
    const worker = startThread('cli/terminal/bar-worker.js', {
      workerData: { fd: this.#fd, drawn: this.#drawn },
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    })
    worker.on('error', (error) => {
      this.#isShown = false
      this.#hasFailed = true
      this.#onFailure(error)
    })
    worker.unref()
    return worker
  }
}
