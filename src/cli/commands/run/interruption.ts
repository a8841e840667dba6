/** Aborts a signal on the first SIGINT or SIGTERM; the second ends the process as usual. */
export function listenForInterruption(onInterrupt: () => void): { signal: AbortSignal; stop: () => void } {
  const controller = new AbortController()
  const stop = () => {
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
  }
  const interrupt = () => {
    stop()
    onInterrupt()
    controller.abort()
  }
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  return { signal: controller.signal, stop }
}
