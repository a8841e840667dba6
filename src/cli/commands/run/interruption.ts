import { printNote } from '../../terminal/output.js'

/** Aborts a signal on the first SIGINT or SIGTERM, and says so; the second ends the process as usual. */
export function listenForInterruption(): { signal: AbortSignal; stop: () => void } {
  const controller = new AbortController()
  const stop = () => {
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
  }
  const interrupt = () => {
    stop()
    printNote('stopping; press Ctrl-C again to stop at once')
    controller.abort()
  }
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  return { signal: controller.signal, stop }
}
