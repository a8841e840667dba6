/**
 * Time and memory of the equations of a repair at hidden size 4096, by the code that repairs, on made-up moments:
 *
 *   npm run build
 *   node bench/solve-4096.js [--features 4096,11008] [--hidden 4096] [--threads N]
 *
 * Features are the inputs of attention's and the MLP's last matrix, which are fitted together. Prints the seconds to
 * add the products of one batch, those of one solve, and the peak memory of the process. A layer is fitted in two or
 * three steps, each of which solves for four to six strengths; running the texts through the model comes on top.
 */
import { parseArgs } from 'node:util'
import { makeMoments } from '../dist/repair/layer-fit.js'
import { solveRidge } from '../dist/repair/solve-change.js'
import { openTileProducts } from '../dist/repair/tile-products.js'
import { handOver } from './figures.js'

const { values } = parseArgs({
  options: {
    features: { type: 'string', default: '4096,11008' },
    hidden: { type: 'string', default: '4096' },
    threads: { type: 'string' },
  },
})
const groups = values.features.split(',').map(Number)
const hidden = Number(values.hidden)
const threads = values.threads === undefined ? undefined : Number(values.threads)

const seconds = (start) => ((performance.now() - start) / 1000).toFixed(1)
const products = await openTileProducts(threads)
const moments = makeMoments(groups, hidden)
const count = groups.reduce((sum, size) => sum + size, 0)

// correlations that decay, which have a solution
const batch = new Float32Array(count * count)
for (let i = 0; i < count; i++) {
  for (let j = Math.max(0, i - 64); j < Math.min(count, i + 65); j++)
    batch[i * count + j] = 0.9 ** Math.abs(i - j)
}
for (let at = 0; at < moments.residual.length; at++) moments.residual[at] = Math.sin(at)
let start = performance.now()
moments.features.add(batch)
console.log(`${count} features, ${hidden} outputs: products of a batch added in ${seconds(start)} s`)

start = performance.now()
await solveRidge(products, moments, hidden, 0.1)
const peak = process.resourceUsage().maxRSS / 1024 ** 2
const solve = `${seconds(start)} s, ${peak.toFixed(1)} GiB`
console.log(`one solve and its peak memory: ${solve}`)
handOver([{ what: `one solve, ${count} features`, layerprune: solve, other: '', ratio: '' }])
await products.close()
