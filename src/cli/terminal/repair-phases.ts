import { formatSize } from '../../base/format-numbers.js'
import type { PhaseFigures } from '../../jobs/repair/phase-meter.js'

export function formatRepairPhases(phases: PhaseFigures[]): string {
  const total = phases.reduce((sum, { seconds }) => sum + seconds, 0)
  const most = Math.max(...phases.map(({ memoryBytes }) => memoryBytes))
  const parts = phases.map(
    ({ phase, seconds, memoryBytes }) => `${phase} ${seconds.toFixed(1)} s in ${formatSize(memoryBytes)}`,
  )
  return `repair: ${total.toFixed(1)} s, at most ${formatSize(most)} of memory: ${parts.join(', ')}`
}
