import type { Progress } from '../progress.js'
import type { ClosingProduct } from './closing-product.js'

/** How far the fit of a layer is. */
export interface FitPart {
  /** Of the whole fit, 0 to 1. */
  share: number
  /** What is fitted, and with which ridge. */
  what: string
}

/** Where a repair is. */
export interface RepairPlace {
  layer: number
  /** Layers that were fitted before. */
  fitted: number
  /** Layers that may be fitted at most. */
  most: number
}

/** Progress of a repair, which ends early if layers after the cuts need no change. */
export function describeFit({ layer, fitted, most }: RepairPlace, { share, what }: FitPart): Progress {
  const place = most === 1 ? '' : ` (${fitted + 1} of at most ${most})`
  return {
    ...{ phase: 'repair', done: fitted, total: most, share: Math.min(1, (fitted + share) / most) },
    isMost: most > 1,
    detail: `layer ${layer}${place}, ${what}`,
  }
}

/** Names a product by its module in the layer, such as `mlp.down_proj`, or by its place among those of the layer. */
export function nameProduct({ weight }: ClosingProduct, place: number): string {
  const [, module] = /\.\d+\.(.+?)(?:\.weight)?$/.exec(weight.name) ?? []
  return module ?? `matrix ${place + 1}`
}
