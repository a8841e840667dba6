import type { OnProgress } from '../../base/progress.js'
import type { ClosingProduct } from './closing-product.js'
import { MOST_TRIES } from './ridges.js'

export interface RepairSizes {
  /** Numbers of a layer. */
  parameters: number
  hidden: number
  /** Tokens of a batch, on average. */
  tokens: number
  batches: number
}

/** Upper bounds of the work of a repair. */
export interface RepairExtent {
  /** Maximum layers to fit. */
  most: number
  /** Layers that the whole model runs from the first fitted one on. */
  layers: number
  /** Fitted products of each layer. */
  products: ClosingProduct[]
}

/** Floating-point operations of the parts of a fit. */
interface FitCosts {
  /** Moments of a batch. */
  moments: number
  /** A batch with the change added. */
  change: number
  /** Solving the equations, and the error on the held-out texts. */
  solution: number
}

/** Time of an operation in float64, tile by tile, as a multiple of one in float32. */
const FLOAT64_COST = 2

/** Counts the work of a repair and reports it; what is left is an upper bound. */
export class RepairWork {
  readonly #sizes: RepairSizes
  readonly #extent: RepairExtent
  readonly #onProgress: OnProgress | undefined
  #done = 0
  #left: number
  #costs: FitCosts = { moments: 0, change: 0, solution: 0 }
  #tries = 0
  /** Share of the equations that are being solved. */
  #solved = 0
  #layer = 0
  #layers = 0
  #product = ''
  #what = ''

  constructor(sizes: RepairSizes, extent: RepairExtent, onProgress: OnProgress | undefined) {
    this.#sizes = sizes
    this.#extent = extent
    this.#onProgress = onProgress
    const { products } = extent
    const fits = products.map((_, place) => this.#costsOf(products.slice(place)))
    const last = fits.at(-1)!
    const ofFits = fits.map(({ moments, solution }) => this.#batches * moments + (MOST_TRIES + 1) * solution)
    const ofLast = products.length > 1 ? MOST_TRIES * last.solution : 0
    const ofLayer = sum(ofFits) + ofLast + this.#batches * last.change
    this.#left = extent.most * ofLayer + extent.layers * this.#batches * this.#layerCost
  }

  startLayer(layer: number): void {
    this.#layers++
    this.#layer = layer
    this.#report('running the whole model')
  }

  /** Counts layers through which a batch was run. */
  ranLayers(layers: number): void {
    this.#add(layers * this.#layerCost, 'running the whole model')
  }

  /** @param products  those that are fitted together, the first of which is then changed */
  startReading(products: ClosingProduct[], place: number): void {
    this.#start(products, place)
    this.#report(this.#describe('reading activations'))
  }

  addedMoments(): void {
    this.#add(this.#costs.moments, this.#describe('reading activations'))
  }

  /** @param products  as of `startReading` */
  startChoice(products: ClosingProduct[], place: number): void {
    this.#start(products, place)
    this.#tries = 0
  }

  startTry(ridge: number): void {
    if (++this.#tries > MOST_TRIES) this.#left += this.#costs.solution
    this.#report(this.#describe(`ridge ${ridge}`))
  }

  /** @param share  of the equations that is solved */
  solved(share: number): void {
    this.#add((share - this.#solved) * this.#costs.solution)
    this.#solved = share < 1 ? share : 0
  }

  endTries(): void {
    this.#left -= Math.max(0, MOST_TRIES - this.#tries) * this.#costs.solution
  }

  addedChange(): void {
    this.#add(this.#costs.change, this.#describe('changing the layer'))
  }

  get #batches(): number {
    return this.#sizes.batches
  }

  get #layerCost(): number {
    return 2 * this.#sizes.tokens * this.#sizes.parameters
  }

  #start(products: ClosingProduct[], place: number): void {
    this.#costs = this.#costsOf(products)
    this.#product = nameProduct(products[0]!, place)
  }

  #costsOf(products: ClosingProduct[]): FitCosts {
    const { tokens, hidden } = this.#sizes
    const features = sum(products.map(({ inputs }) => inputs))
    return {
      // of the products of features with each other, half are the others again
      moments: this.#layerCost + tokens * features * (features + 2 * hidden),
      change: this.#layerCost + 2 * tokens * features * hidden,
      solution: FLOAT64_COST * (features ** 3 / 3 + 3 * features ** 2 * hidden),
    }
  }

  #add(operations: number, what?: string): void {
    this.#done += operations
    this.#left = Math.max(0, this.#left - operations)
    this.#report(what)
  }

  #describe(what: string): string {
    return `${this.#product}, ${what}`
  }

  #report(what = this.#what): void {
    this.#what = what
    this.#onProgress?.({
      ...{ phase: 'repair', done: this.#layers - 1, total: this.#extent.most, isMost: true },
      share: this.#done / (this.#done + this.#left),
      detail: `layer ${this.#layer}, ${what}`,
      next: 'perplexity',
    })
  }
}

/** Names a product by its module in the layer, such as `mlp.down_proj`, or by its place among those of the layer. */
function nameProduct({ weight }: ClosingProduct, place: number): string {
  const [, module] = /\.\d+\.(.+?)(?:\.weight)?$/.exec(weight.name) ?? []
  return module ?? `matrix ${place + 1}`
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
