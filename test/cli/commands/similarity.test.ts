import { existsSync, mkdirSync, readdirSync, readFileSync, watch, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { measureSimilarity } from '../../../src/index.js'
import { LLAMA, TEXTS } from '../../support/paths.js'
import { runProgram, startProgram } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const BASICS = ['similarity', '--model', LLAMA, '--dataset', TEXTS]

describe('similarity', () => {
  it('prints the table, the chart, the nearest block, how to check it and how to cut it, and writes four files', async () => {
    const cwd = makeTempFolder()
    const { exitCode, stdout, stderr } = await runProgram([...BASICS, '--layers-to-skip', '1'], { cwd })
    expect(exitCode).toBe(0)
    expect(stdout).toContain('| nearest |')
    expect(stdout).toContain('angular distance by first layer removed')
    expect(stdout).toMatch(
      /\nNearest block: layer 2 \(0-based, 1 of 3\), angular distance 0\.\d{4} ± 0\.\d{4} over 7 texts\.\n/,
    )
    expect(stdout.split('\n').slice(-6)).toEqual([
      'Not checked by perplexity, and the nearest block is often not the best to remove.',
      expect.stringMatching(
        /^Add --dataset-size 5 --verify 8 --force to check the 3 nearest on 2 other texts \(about \d+ s in all\)\.$/,
      ),
      '',
      'To cut the nearest block without that check:',
      `  layerprune prune --model ${LLAMA} --from layerprune-output/similarity.json -o llama-pruned`,
      '',
    ])
    expect(stderr).toContain('reading onnx/model.onnx (fp32')
    expect(stderr).not.toContain('error')
    expect(readdirSync(join(cwd, 'layerprune-output')).sort()).toEqual([
      'distances.svg',
      'layer_distances.csv',
      'similarity.json',
      'slice.yaml',
    ])
    const slices = parse(readFileSync(join(cwd, 'layerprune-output/slice.yaml'), 'utf8'))
    expect(slices).toEqual({
      slices: [{ sources: [{ model: LLAMA, layer_range: [0, 2] }] }],
      merge_method: 'passthrough',
      dtype: 'float32',
    })
  })

  it('prints the JSON document that it saves, and the library returns the same', async () => {
    const cwd = makeTempFolder()
    const { exitCode, stdout, stderr } = await runProgram(
      [...BASICS, '--layers-to-skip', '2', '--json', '--quiet', '--output', 'out', '--tokens', 'all'],
      { cwd },
    )
    expect(exitCode).toBe(0)
    expect(stderr).toBe('')
    expect(stdout).toBe(readFileSync(join(cwd, 'out/similarity.json'), 'utf8'))
    const result = JSON.parse(stdout)
    expect(result).toMatchObject({
      schema: 'layerprune.similarity/1',
      model: { id: LLAMA, family: 'llama', layers: 3, hiddenSize: 32, dtype: 'fp32' },
      dataset: { id: TEXTS, column: 'text', samples: 7, skipped: { empty: 0, notText: 0 } },
      metric: 'angular',
      tokens: 'all',
      layersToSkip: 2,
    })
    expect(Object.values(result.distances).map((row) => (row as number[]).length)).toEqual([3, 2, 1])
    expect(result.blocks.map(({ start, end }: { start: number; end: number }) => [start, end])).toEqual([
      [0, 2],
      [1, 3],
    ])
    expect(result.best.distance).toBe(Math.min(...result.distances[2]))
    const { run, ...measured } = result
    expect(run).toMatchObject({ command: 'similarity', options: { layersToSkip: 2, tokens: 'all' } })
    expect(await measureSimilarity({ model: LLAMA, dataset: TEXTS, layersToSkip: 2, tokens: 'all' })).toEqual(measured)
  })

  it("takes PruneMe's flags and writes PruneMe's file", async () => {
    const cwd = makeTempFolder()
    const { exitCode } = await runProgram(
      // biome-ignore format: as PruneMe's users write them
      ['similarity', '--model_path', LLAMA, '--dataset', TEXTS, '--dataset_column', 'text', '--batch_size=4',
        '--max_length', '16', '--layers_to_skip', '2', '--dataset_size', '5', '--dataset_subset', 'train'],
      { cwd },
    )
    expect(exitCode).toBe(0)
    const rows = readFileSync(join(cwd, 'layerprune-output/layer_distances.csv'), 'utf8').trim().split('\n')
    expect(rows[0]).toBe('block_start,block_end,average_distance')
    expect(rows.slice(1).map((row) => row.split(',').slice(0, 2).map(Number))).toEqual([
      [0, 2],
      [1, 3],
    ])
    const saved = JSON.parse(readFileSync(join(cwd, 'layerprune-output/similarity.json'), 'utf8'))
    expect(saved.settings).toEqual({ maxLength: 16, batchSize: 4, datasetSize: 5 })
    expect(saved.dataset.samples).toBe(5)
  })

  it('skips rows without text and says so', async () => {
    const cwd = makeTempFolder()
    const rows = [{ text: 'The river rose.' }, { text: '' }, { text: 7 }, { text: null }, { text: 'Yes.' }]
    writeFileSync(join(cwd, 'rows.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n'))
    const { stdout, stderr } = await runProgram(
      ['similarity', '--model', LLAMA, '--dataset', 'rows.jsonl', '--layers-to-skip', '1', '--json'],
      { cwd },
    )
    expect(JSON.parse(stdout).dataset).toMatchObject({ samples: 2, skipped: { empty: 1, notText: 2 } })
    expect(stderr).toContain('skipped 3 rows: 1 empty, 2 without text')
  })

  it('reads the same texts from every kind of file', async () => {
    const cwd = makeTempFolder()
    const texts = readFileSync(TEXTS, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).text as string)
    writeFileSync(join(cwd, 'a.txt'), texts.join('\n'))
    writeFileSync(join(cwd, 'a.csv'), ['text', ...texts.map((text) => `"${text}"`)].join('\n'))
    const [expected, ...results] = await Promise.all(
      [TEXTS, join(cwd, 'a.txt'), join(cwd, 'a.csv')].map((dataset) =>
        measureSimilarity({ model: LLAMA, dataset, textLines: true, layersToSkip: 1 }),
      ),
    )
    for (const { distances } of results) expect(distances).toEqual(expected!.distances)
  })

  it.each(['SIGINT', 'SIGTERM'] as const)('stops cleanly on %s and keeps what was measured', async (signal) => {
    const cwd = makeTempFolder()
    writeFileSync(join(cwd, 'many.jsonl'), readFileSync(TEXTS, 'utf8').repeat(20_000))
    mkdirSync(join(cwd, 'layerprune-output'))
    const checkpoint = nextFile(join(cwd, 'layerprune-output'), 'similarity.partial.json')
    const run = startProgram(
      ['similarity', '--model', LLAMA, '--dataset', 'many.jsonl', '--layers-to-skip', '1', '--dataset-size', '140000'],
      { cwd },
    )
    // the first checkpoint comes after the first batch
    await Promise.race([checkpoint, run.outcome])
    run.child.kill(signal)
    const { exitCode, stdout, stderr } = await run.outcome
    expect(exitCode).toBe(130)
    expect(stdout).toBe('')
    expect(stderr).toMatch(/error: interrupted after \d+ of 140000 texts/)
    expect(stderr).not.toContain('    at ')
    expect(readdirSync(join(cwd, 'layerprune-output'))).toEqual(['similarity.partial.json'])
    const partial = JSON.parse(readFileSync(join(cwd, 'layerprune-output/similarity.partial.json'), 'utf8'))
    expect(partial.partial).toBe(true)
    expect(partial.dataset.samples).toBeGreaterThan(0)
    const slice = await runProgram(['slice-config', '--from', 'layerprune-output/similarity.partial.json'], { cwd })
    expect(slice.exitCode).toBe(0)
    expect(slice.stderr).toContain('interrupted')
  })

  it('keeps what was measured if a later row is damaged', async () => {
    const cwd = makeTempFolder()
    writeFileSync(join(cwd, 'damaged.jsonl'), `${readFileSync(TEXTS, 'utf8').repeat(30)}{"text": "unfinished`)
    const { exitCode, stderr } = await runProgram(
      ['similarity', '--model', LLAMA, '--dataset', 'damaged.jsonl', '--layers-to-skip', '1'],
      { cwd },
    )
    expect(exitCode).toBe(1)
    expect(stderr).toContain('damaged.jsonl:211')
    expect(existsSync(join(cwd, 'layerprune-output/similarity.json'))).toBe(false)
    const partial = JSON.parse(readFileSync(join(cwd, 'layerprune-output/similarity.partial.json'), 'utf8'))
    expect(partial.dataset.samples).toBe(128)
  })
})

describe('help', () => {
  it.each([[['--help']], [['similarity', '--help']], [['slice-config', '--help']]])(
    '%j exits 0 on stdout',
    async (args) => {
      const { exitCode, stdout, stderr } = await runProgram(args)
      expect(exitCode).toBe(0)
      expect(stderr).toBe('')
      expect(stdout).toContain('Examples:')
      expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([])
    },
  )

  it('loads no native library', async () => {
    const { stdout } = await runProgram(['--help'], { env: { NODE_OPTIONS: '--no-addons' } })
    expect(stdout).toContain('similarity')
  })
})

/** Waits until a file of this name appears in a folder. */
function nextFile(folder: string, wanted: string): Promise<void> {
  return new Promise((resolve) => {
    const watcher = watch(folder, (_, name) => {
      if (name !== wanted) return
      watcher.close()
      resolve()
    })
  })
}
