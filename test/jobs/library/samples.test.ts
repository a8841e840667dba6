import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ROOT } from '../../support/paths.js'
import { blocksOf } from '../../support/shown-text.js'
import { makeTempFolder } from '../../support/temp-folder.js'

/** Calls that no user means, each wrong in one way; the compiler finds each. */
const WRONG_CALLS = [
  'lp.measureSimilarity({})',
  "lp.measureSimilarity({ model: 'm' })",
  "lp.measureSimilarity({ model: 'm', dataset: 'd', layerToSkip: 4 })",
  "lp.measureSimilarity({ model: 'm', dataset: 'd', layersToSkip: '4' })",
  "lp.measureSimilarity({ model: 'm', dataset: 'd', metric: 'euclid' })",
  "lp.measureSimilarity({ model: 'm', dataset: 'd', tokens: 'first' })",
  "lp.measureSimilarity({ model: 'm', dataset: 'd', device: 'gpu' })",
  "lp.measureSimilarity({ model: 'm', dataset: 'd', shard: '1/4' })",
  "lp.evaluatePerplexity({ model: 'm', dataset: 'd', candidates: [{ start: 1, end: 2 }] })",
  "lp.evaluateAgainst({ model: 'm', dataset: 'd' })",
  "lp.measureTasks({ model: 'm', tasks: 'arc_easy' })",
  "lp.planLayers({ model: 'm', layersToSkip: 4, strategy: 'best' })",
  "lp.sweepCuts({ model: 'm', dataset: 'd', sizes: 4 })",
  "lp.pruneModel({ model: 'm', output: 'o' })",
  "lp.comparePruned({ model: 'm', removed: { start: 1, end: 2 } })",
  "lp.repairModel({ model: 'm', dataset: 'd' })",
  "lp.healModel({ model: 'm', dataset: 'd', output: 'o', step: 4 })",
  "lp.makeRecipe({ model: 'm', dataset: 4 })",
  "lp.formatSliceConfig({ model: 'm', layers: 4, removed: [] })",
  "lp.makeReport('similarity.json')",
]

const SETTINGS = {
  compilerOptions: {
    ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
    ...{ module: 'nodenext', target: 'es2023', types: ['node'], skipLibCheck: true, noEmit: true },
    typeRoots: [join(ROOT, 'node_modules/@types')],
    paths: {
      layerprune: [join(ROOT, 'dist/index.d.ts')],
      '@huggingface/transformers': [join(ROOT, 'node_modules/@huggingface/transformers/types/transformers.d.ts')],
    },
  },
}

it('the samples compile as strict TypeScript, and each of 20 wrong calls is an error', () => {
  const folder = makeTempFolder()
  const samples = ['README.md', 'docs/library.md'].flatMap((page) => blocksOf(page, 'js'))
  expect(samples.length).toBeGreaterThan(10)
  for (const [index, code] of samples.entries()) writeFileSync(join(folder, `sample-${index}.ts`), code)
  const wrong = ["import * as lp from 'layerprune'", ...WRONG_CALLS].join('\n')
  writeFileSync(join(folder, 'wrong.ts'), `${wrong}\n`)
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}')
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(SETTINGS))
  const found = compile(folder)
  expect(found.filter((error) => !error.startsWith('wrong.ts'))).toEqual([])
  const lines = found.map((error) => Number(/^wrong\.ts\((\d+),/.exec(error)![1]))
  expect(lines).toEqual(WRONG_CALLS.map((_, index) => index + 2))
})

/** @returns the first lines of errors */
function compile(folder: string): string[] {
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc')
  try {
    execFileSync(process.execPath, [compiler, '-p', folder, '--pretty', 'false'], {
      cwd: folder,
      encoding: 'utf8',
    })
    return []
  } catch (error) {
    const { stdout } = error as { stdout: string }
    return stdout.split('\n').filter((line) => /^\S+\.ts\(\d+,\d+\): error/.test(line))
  }
}
