import { readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { findChildren } from './child-processes.js'
import { startProgram } from './run-program.js'

const INTERVAL_MS = 20

/** Runs the program in a process of its own, and finds the most memory in bytes of it and those that it starts; on Linux. */
export async function runWithPeak(args: string[]) {
  const { child, outcome } = startProgram(args)
  const peaks = new Map<number, number>()
  let isOver = false
  const ended = outcome.finally(() => {
    isOver = true
  })
  while (!isOver) {
    const pid = child.pid!
    for (const id of [pid, ...findChildren(pid, 'session-worker')]) peaks.set(id, readPeak(id) ?? peaks.get(id) ?? 0)
    await wait(INTERVAL_MS)
  }
  return { ...(await ended), peakBytes: [...peaks.values()].reduce((sum, bytes) => sum + bytes, 0) }
}

/** Undefined if the process has ended. */
function readPeak(pid: number): number | undefined {
  try {
    const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return kibibytes === undefined ? undefined : 1024 * Number(kibibytes)
  } catch {
    return undefined
  }
}
