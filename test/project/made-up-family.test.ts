import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import ts from 'typescript'
import { beforeAll, expect, it } from 'vitest'
import type * as Library from '../../src/index.js'
import { copyFixture, fixtureFolder, readReference } from '../support/fixture-model.js'
import { largestDifferenceByKey } from '../support/largest-difference.js'
import { ROOT, TEXTS } from '../support/paths.js'
import { readPage } from '../support/shown-text.js'
import { makeTempFolder } from '../support/temp-folder.js'

const [entry = '', fixture = ''] = [...readPage('docs/adding-a-family.md').matchAll(/^```diff\n([\s\S]*?)^```$/gm)].map(
  ([, diff]) => diff!,
)
const filesIn = (diff: string) => [...diff.matchAll(/^\+\+\+ b\/(.*)$/gm)].map(([, file]) => file!)

/** A copy of the files that a diff names, with the diff applied. */
function applied(diff: string): string {
  const folder = makeTempFolder()
  for (const file of filesIn(diff)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    cpSync(join(ROOT, file), join(folder, file))
  }
  execFileSync('git', ['apply', '-'], { cwd: folder, input: diff, stdio: 'pipe' })
  return folder
}

/** The built library with one of its sources replaced. */
async function buildWith(file: string, source: string): Promise<typeof Library> {
  const folder = makeTempFolder()
  for (const name of ['assets', 'dist', 'package.json'])
    cpSync(join(ROOT, name), join(folder, name), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'), 'junction')
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  })
  writeFileSync(join(folder, file.replace(/^src/, 'dist').replace(/ts$/, 'js')), outputText)
  return import(pathToFileURL(join(folder, 'dist/index.js')).href)
}

/** What make-families.py would write, but for the numbers of its weights. */
function makeQuokka(): string {
  const folder = copyFixture('llama')
  const path = join(folder, 'config.json')
  const { intermediate_size, ...config } = JSON.parse(readFileSync(path, 'utf8'))
  writeFileSync(path, JSON.stringify({ ...config, model_type: 'quokka', ffn_size: intermediate_size }))
  return folder
}

let library: typeof Library
let model: string

beforeAll(async () => {
  const [file] = filesIn(entry) as [string]
  library = await buildWith(file, readFileSync(join(applied(entry), file), 'utf8'))
  model = makeQuokka()
})

it('a family takes one file of the sources and the settings of its fixture', () => {
  expect(filesIn(entry)).toEqual(['src/model/families/llama.ts'])
  expect(filesIn(fixture)).toEqual(['test/fixtures/settings_small.py'])
  const settings = readFileSync(join(applied(fixture), 'test/fixtures/settings_small.py'), 'utf8')
  expect(settings).toContain('"quokka": fixture("llama", BASE, old=spell_quokka)')
})

it('the made-up family is measured as PyTorch measures it', async () => {
  const { maxLength, last } = readReference(fixtureFolder('llama'))
  const result = await library.measureSimilarity({
    model,
    dataset: TEXTS,
    threads: 1,
    layersToSkip: 1,
    maxLength,
    tokens: 'last',
  })
  expect(largestDifferenceByKey(result.distances, last)).toBeLessThan(1e-6)
})

it('the made-up family is not cut where its entry forbids it', async () => {
  const cut = (start: number, end: number) =>
    library.pruneModel({
      model,
      dryRun: true,
      unproven: true,
      output: join(makeTempFolder(), 'out'),
      plan: { strategy: 'explicit', removed: [{ start, end }] },
    })
  await expect(cut(0, 1)).rejects.toThrow('only layer 0 of quokka has a window')
  await expect(cut(1, 2)).resolves.toMatchObject({ dryRun: true })
})
