import type { ChildProcess } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'

const POLL_MS = 20

/**
 * Ends a process that was spawned `detached`, with all the processes it started.
 * @param graceMs  time to end after SIGTERM, before SIGKILL
 */
export async function endProcessGroup(leader: ChildProcess, { graceMs = 3_000 } = {}): Promise<void> {
  const group = leader.pid!
  signal(group, 'SIGTERM')
  if (await hasEnded(group, graceMs)) return
  signal(group, 'SIGKILL')
  // the group of a process that nobody waits for is there for longer, but runs no more
  await hasEnded(group, 500)
}

async function hasEnded(group: number, withinMs: number): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < withinMs; waitedMs += POLL_MS) {
    if (!signal(group, 0)) return true
    await sleep(POLL_MS)
  }
  return !signal(group, 0)
}

/** @returns whether the group has a process to take the signal */
function signal(group: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-group, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}
