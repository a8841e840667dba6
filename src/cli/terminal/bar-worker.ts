/** A thread that draws the bar, because ONNX Runtime holds the main thread for seconds. */
import { WriteStream } from 'node:tty'
import { parentPort, workerData } from 'node:worker_threads'
import { createBar } from './bar.js'
import { type BarRequest, clockMs, type DrawnSignal } from './bar-thread.js'

const { fd, drawn } = workerData as { fd: number; drawn: DrawnSignal }
const stream = new WriteStream(fd)
// without a terminal there is nothing to draw on
stream.on('error', () => {})
const bar = createBar(stream, clockMs)

parentPort!.on('message', ({ number, shown }: BarRequest) => {
  if (shown === null) bar.hide()
  else bar.show(shown.line, shown.width)
  Atomics.store(drawn, 0, number)
  Atomics.notify(drawn, 0)
})
