/**
 * Time and memory of the equations of a repair at hidden size 4096, by the code that repairs, on made-up moments:
 *
 *   npm run build
 *   node bench/solve-4096.js [--features 4096,11008] [--hidden 4096] [--threads N]
 *
 * Features are the inputs of attention's and the MLP's last matrix, which are fitted together. Prints the seconds to
 * add the products of one batch, those of one solve and of what it leaves on held-out texts, and the peak memory of the
 * process. A layer is fitted in three steps, each of which tries three to five strengths on a sketch of the outputs and
 * solves once or twice; running the texts through the model comes on top.
 */
import { parseArgs } from 'node:util'
import { addMoments, makeMoments, sketchOutputs, sumSquaresAfter } from '../dist/jobs/repair/moments.js'
import { solveRidge } from '../dist/jobs/repair/solve-change.js'
import { openTileProducts } from '../dist/jobs/repair/tile-products.js'
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
const { bounds, panels } = moments.features
const batch = panels.map(({ rows, columns }, index) => {
  const panel = new Float32Array(rows * columns)
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const distance = Math.abs(i - bounds[index] - j)
      if (distance <= 64) panel[i * columns + j] = 0.9 ** distance
    }
  }
  return panel
})
const residual = Float32Array.from({ length: count * hidden }, (_, at) => Math.sin(at))
let start = performance.now()
addMoments(moments, { panels: batch, residual, squares: 1 })
console.log(`${count} features, ${hidden} outputs: products of a batch added in ${seconds(start)} s`)

start = performance.now()
const change = await solveRidge(products, moments, 0.1)
const solved = seconds(start)
start = performance.now()
const sketch = await sketchOutputs(products, moments, 256)
await sumSquaresAfter(products, sketch, await solveRidge(products, sketch, 0.1))
const tried = seconds(start)
start = performance.now()
await sumSquaresAfter(products, moments, change)
const peak = process.resourceUsage().maxRSS / 1024 ** 2
const solve = `${solved} s, ${peak.toFixed(1)} GiB`
console.log(`one solve, and the peak memory: ${solve}; what it leaves on held-out texts: ${seconds(start)} s`)
console.log(`one strength tried on a sketch of the outputs: ${tried} s`)
handOver([{ what: `one solve, ${count} features`, layerprune: solve, other: '', ratio: '' }])
await products.close()
