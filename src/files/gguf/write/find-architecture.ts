import type { Architecture } from '../architecture.js'
import { ARCHITECTURES } from '../architectures.js'

/** The architecture that checkpoints of a family are written as, and its name; undefined if there is none. */
export function findWrittenArchitecture(family: string): { name: string; architecture: Architecture } | undefined {
  const all = Object.entries(ARCHITECTURES).flatMap(([name, architecture]) =>
    [architecture, architecture.variant?.architecture].flatMap((one) => (one ? [{ name, architecture: one }] : [])),
  )
  return (
    all.find(({ architecture }) => architecture.family === family) ??
    all.find(({ architecture }) => architecture.holds?.includes(family))
  )
}
