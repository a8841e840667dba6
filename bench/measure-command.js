import { spawnSync } from 'node:child_process'

/** Runs a command and prints its peak memory in KB as the last line of stderr. */
const REPORT_PEAK = `
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(status)`

/**
 * Runs any command to its end, under a Python that reads its peak memory.
 * @returns {{ seconds: number, peakMegabytes: number, stdout: string, stderr: string }} time of the whole process
 */
export function measureCommand(python, [program, ...args]) {
  const start = performance.now()
  const { status, stdout, stderr } = spawnSync(python, ['-c', REPORT_PEAK, program, ...args], {
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  })
  const seconds = (performance.now() - start) / 1000
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${stderr}`)
  return { seconds, peakMegabytes: (1024 * Number(stderr.trim().split('\n').at(-1))) / 1e6, stdout, stderr }
}
