import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const BIN = fileURLToPath(new URL('../bin/layerprune.js', import.meta.url))
const REPORT_PEAK =
  'data:text/javascript,process.on("exit",()=>process.stderr.write("\\npeak "+process.resourceUsage().maxRSS+"\\n"))'

/**
 * Runs the program to its end.
 * @returns {{ seconds: number, peakMegabytes: number, stdout: string }} time of the whole process, and its peak memory
 */
export function runLayerprune(args) {
  const start = performance.now()
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', REPORT_PEAK, BIN, ...args], {
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  })
  const seconds = (performance.now() - start) / 1000
  if (status !== 0) throw new Error(`layerprune ${args[0]} ended with ${status}: ${stderr}`)
  const [, peak] = /^peak (\d+)$/m.exec(stderr)
  return { seconds, peakMegabytes: (1024 * Number(peak)) / 1e6, stdout }
}
