import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, expect, it } from 'vitest'
import { createRandom } from '../../src/base/random.js'
import { TokenizerProcess } from '../../src/texts/tokens/tokenizer-process.js'
import { makeTempFolder } from '../support/temp-folder.js'
import { makeNastyText } from '../texts/tokens/nasty-text.js'
import { describeWithPython, python } from './needs.js'

const run = promisify(execFile)
const ADDED = ['<|end|>', '<|end|>of', '<mask>', '<sep>', '    ', 'The River', '<s>', '</s>', '<unk>', 'boats', 'mill']
const TEXTS = 200
/** As in make_tokenizers.py. */
const CUT = 16

interface Made {
  name: string
  ids: number[][]
  cut: number[][]
  decoded: string[]
}

describeWithPython('token ids are those of transformers', () => {
  let folder: string
  let texts: string[]
  let made: Made[]

  beforeAll(async () => {
    const random = createRandom(7)
    texts = ['', ...Array.from({ length: TEXTS - 1 }, (_, i) => makeNastyText(random, 1 + 3 * i, ADDED))]
    texts = texts.map((text) => text.replaceAll(/\p{Surrogate}/gu, ''))
    folder = makeTempFolder()
    const list = join(folder, 'texts.json')
    writeFileSync(list, JSON.stringify(texts))
    const script = join(import.meta.dirname, 'make_tokenizers.py')
    const { stdout } = await run(python, [script, join(folder, 'made'), list], { maxBuffer: 1e9 })
    made = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
  }, 300_000)

  it('for each part that tokenizer.json can have, on texts of all kinds', { timeout: 300_000 }, async () => {
    expect(made.length).toBeGreaterThanOrEqual(60)
    const different: string[] = []
    for (const { name, ids, cut, decoded } of made) {
      const tokenizer = new TokenizerProcess(join(folder, 'made', name))
      for (const [index, text] of texts.entries()) {
        const own = await tokenizer.encode(text, 1e9)
        const short = await tokenizer.encode(text, CUT)
        const back = await tokenizer.decode(ids[index]!)
        const wrong = [
          own.join() === ids[index]!.join() ? '' : 'ids',
          short.join() === cut[index]!.join() ? '' : 'cut ids',
          back === decoded[index] ? '' : 'decoded text',
        ].filter(Boolean)
        if (wrong.length > 0) different.push(`${name}, text ${index}: ${wrong.join(', ')}`)
      }
      tokenizer.close()
    }
    expect(different).toEqual([])
  })
})
