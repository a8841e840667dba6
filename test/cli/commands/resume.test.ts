import { existsSync, mkdirSync, readFileSync, watch, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { createRandom } from '../../../src/base/random.js'
import { measureSimilarity, type SimilarityOptions, type SimilarityResult } from '../../../src/index.js'
import { LONG_TESTS } from '../../support/long-tests.js'
import { LLAMA, TEXTS } from '../../support/paths.js'
import { type Outcome, runProgram, startProgram } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const KILLS = LONG_TESTS ? 10 : 2
const CHECKPOINT = 'similarity.partial.json'

/** Texts of many lengths, a few rows without text among them. */
function manyTexts(count: number): string {
  const words = readFileSync(TEXTS, 'utf8')
    .replaceAll(/[^a-zA-Z]+/g, ' ')
    .split(' ')
  const random = createRandom(4)
  const row = (index: number) =>
    index % 50 === 7
      ? ''
      : Array.from({ length: 1 + random.below(30) }, () => words[random.below(words.length)]).join(' ')
  return Array.from({ length: count }, (_, index) => `${JSON.stringify({ text: row(index) })}\n`).join('')
}

describe('a run that is killed', () => {
  let cwd: string
  const flags = (output: string, ...more: string[]) =>
    // biome-ignore format: a command line
    ['similarity', '--model', LLAMA, '--dataset', 'many.jsonl', '--layers-to-skip', '1', '--tokens', 'tail:4',
      '--output', output, ...more]
  beforeAll(() => {
    cwd = makeTempFolder()
    writeFileSync(join(cwd, 'many.jsonl'), manyTexts(LONG_TESTS ? 3_000 : 1_800))
  })
  const read = (path: string): SimilarityResult => JSON.parse(readFileSync(join(cwd, path), 'utf8'))

  /** Starts a run and kills it while it writes a checkpoint, or some time after it has written one. */
  async function kill(output: string, when: 'writing' | number): Promise<Outcome> {
    const folder = join(cwd, output)
    mkdirSync(folder, { recursive: true })
    const run = startProgram(flags(output, '--resume'), { cwd })
    const watcher = watch(folder, (_, name) => {
      if (when !== 'writing' && name !== CHECKPOINT) return
      watcher.close()
      setTimeout(() => run.child.kill('SIGKILL'), when === 'writing' ? 0 : when)
    })
    return run.outcome.finally(() => watcher.close())
  }

  it(`ends as if it had not been killed, ${KILLS} times over`, async () => {
    const random = createRandom(9)
    const measured: number[] = []
    for (let turn = 0; turn < KILLS; turn++) {
      // half of them as soon as a temporary file is there
      const { exitCode } = await kill('killed', turn % 2 === 1 ? 'writing' : random.below(150))
      expect(exitCode).toBeNull()
      measured.push(read(`killed/${CHECKPOINT}`).dataset.samples)
    }
    expect(measured).toEqual([...measured].sort((a, b) => a - b))
    expect(new Set(measured).size).toBeGreaterThanOrEqual(KILLS / 2)
    const [resumed, whole] = await Promise.all([
      runProgram(flags('killed', '--resume', '--json'), { cwd }),
      runProgram(flags('whole', '--json'), { cwd }),
    ])
    expect(resumed.stderr).toContain(`continuing after the`)
    expect(resumed.stdout).toBe(whole.stdout)
    expect(existsSync(join(cwd, 'killed', CHECKPOINT))).toBe(false)
  }, 240_000)
})

describe('resuming', () => {
  const OPTIONS: SimilarityOptions = { model: LLAMA, dataset: TEXTS, layersToSkip: 1, batchSize: 2 }

  /** The partial result after some batches of a run. */
  async function stopAfter(batches: number, options = OPTIONS): Promise<SimilarityResult> {
    const controller = new AbortController()
    let partial: SimilarityResult | undefined
    let done = 0
    const run = measureSimilarity({
      ...options,
      signal: controller.signal,
      onBatch: () => {
        if (++done === batches) controller.abort()
      },
      onPartialResult: (result) => {
        partial = JSON.parse(JSON.stringify(result))
      },
    })
    await expect(run).rejects.toThrow('interrupted')
    return partial!
  }

  it.each([1, 2, 3])('resumes an interrupted run in the middle of a window, after %d batches', async (batches) => {
    const partial = await stopAfter(batches)
    expect(partial).toMatchObject({ partial: true, dataset: { samples: 2 * batches } })
    const resumed = await measureSimilarity({ ...OPTIONS, resumeFrom: partial })
    expect(resumed).toEqual(await measureSimilarity(OPTIONS))
  })

  it('continues to an identical result within a memory limit', async () => {
    const options = { ...OPTIONS, maxMemory: 2e9 }
    const resumed = await measureSimilarity({ ...options, resumeFrom: await stopAfter(1, options) })
    expect(resumed).toEqual(await measureSimilarity(OPTIONS))
  })

  it('takes up a shard, and a run that may stop early', async () => {
    for (const options of [
      { ...OPTIONS, batchSize: 1, shard: { index: 2, count: 3 } },
      { ...OPTIONS, until: 0.5 },
    ]) {
      const resumed = await measureSimilarity({ ...options, resumeFrom: await stopAfter(1, options) })
      expect(resumed).toEqual(await measureSimilarity(options))
    }
  })

  it('is refused with another model, other settings or other texts, by name', async () => {
    const partial = await stopAfter(2)
    const resume = (options: Partial<SimilarityOptions>) =>
      expect(measureSimilarity({ ...OPTIONS, resumeFrom: partial, ...options })).rejects
    const prefix = 'the run cannot be resumed: '
    const changed = (option: string) => `${prefix}\`${option}\``
    await resume({ batchSize: 3 }).toThrow(`${changed('batchSize')} was 2 and is 3`)
    await resume({ maxLength: 9 }).toThrow(`${changed('maxLength')} was 128 and is 9`)
    await resume({ tokens: 'all' }).toThrow(`${changed('tokens')} was last and is all`)
    await resume({ until: 0.9 }).toThrow(`${changed('tokens')} was last and is tail:32`)
    await resume({ until: 0.9, tokens: 'last' }).toThrow(`${changed('until')} was not given and is 0.9`)
    await resume({ layersToSkip: 2 }).toThrow(`${changed('layersToSkip')} was 1 and is 2`)
    await resume({ datasetSize: 5 }).toThrow(`${changed('datasetSize')} was not given and is 5`)
    await resume({ shard: { index: 1, count: 2 } }).toThrow(`${changed('shard')} was not given and is 1/2`)
    await resume({ model: `${LLAMA}/../mistral` }).toThrow(`${prefix}the model was`)
    const folder = makeTempFolder()
    const other = join(folder, 'other.jsonl')
    const rows = readFileSync(TEXTS, 'utf8').trim().split('\n')
    // the window in which the run stopped is no longer the same
    writeFileSync(other, [...rows, '{"text": "one more"}'].join('\n'))
    await resume({ dataset: other }).toThrow(`${prefix}the first 7 texts of the dataset are not those`)
    writeFileSync(other, rows.slice(0, 3).join('\n'))
    await resume({ dataset: other }).toThrow(`${prefix}the dataset has 3 texts, but 7 of it were read before`)
    // the same texts elsewhere are the same dataset
    writeFileSync(other, rows.join('\n'))
    await resume({ dataset: other }).resolves
  })

  it('on the command line starts from the beginning if there is nothing to resume, and says so', async () => {
    const cwd = makeTempFolder()
    const flags = ['similarity', '--model', LLAMA, '--dataset', TEXTS, '--layers-to-skip', '1', '--output', 'out']
    const { exitCode, stderr } = await runProgram([...flags, '--resume'], { cwd })
    expect(exitCode).toBe(0)
    expect(stderr).toContain('there is no out/similarity.partial.json to resume: starting from the beginning')
    writeFileSync(join(cwd, 'out/similarity.partial.json'), '{"schema": "layerprune.similarity/1"}')
    const damaged = await runProgram([...flags, '--resume'], { cwd })
    expect(damaged.exitCode).toBe(1)
    expect(damaged.stderr).toContain('out/similarity.partial.json is not a similarity result')
    const anew = await runProgram(flags, { cwd })
    expect(anew.exitCode).toBe(0)
    expect(anew.stderr).toContain('out/similarity.partial.json of an earlier run will be overwritten')
  })
})
