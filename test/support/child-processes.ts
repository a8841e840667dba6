import { readdirSync, readFileSync } from 'node:fs'

/** Ids of the children of a process whose command line holds a text; on Linux. */
export function findChildren(pid: number, text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((id) => {
      try {
        const [, parent] = /.*\) \S (\d+)/s.exec(readFileSync(`/proc/${id}/stat`, 'utf8'))!
        return Number(parent) === pid && readFileSync(`/proc/${id}/cmdline`, 'utf8').includes(text)
      } catch {
        // it has ended meanwhile
        return false
      }
    })
}
