import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { type ParsedModel, parseModel, serializeModel } from '../../../src/model/graph/onnx/onnx.js'
import { FIXTURES, LLAMA, TEXTS } from '../../support/paths.js'
import { runProgram } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'

/** What is wrong, how it is made in an empty folder, and what the program must say of it. */
interface Case {
  name: string
  /** Prepares the folder and returns arguments that differ from the good ones. */
  prepare: (folder: string) => Record<string, string>
  exitCode?: number
  message: RegExp
}

const GENAI = join(FIXTURES, 'onnx/genai-llama')

function copyModel(folder: string, source = LLAMA): string {
  const model = join(folder, 'model')
  cpSync(source, model, {
    recursive: true,
    filter: (path) => !/_(q4|q4f16|fp16|quantized)\.onnx$/.test(path),
  })
  return model
}

function editConfig(folder: string, edit: Record<string, unknown>): { model: string } {
  const model = copyModel(folder)
  const config = { ...JSON.parse(readFileSync(join(model, 'config.json'), 'utf8')), ...edit }
  writeFileSync(join(model, 'config.json'), JSON.stringify(config))
  return { model }
}

function editGraph(folder: string, edit: (model: ParsedModel) => void, source = LLAMA): { model: string } {
  const model = copyModel(folder, source)
  const path = source === LLAMA ? join(model, 'onnx/model.onnx') : join(model, 'model.onnx')
  const proto = parseModel(readFileSync(path))
  edit(proto)
  writeFileSync(path, serializeModel(proto))
  return { model }
}

function writeData(folder: string, name: string, content: string | Uint8Array): { dataset: string } {
  writeFileSync(join(folder, name), content)
  return { dataset: name }
}

const cases: Case[] = [
  {
    name: 'model folder missing',
    prepare: () => ({ model: './nowhere' }),
    message: /model folder \.\/nowhere does not exist/,
  },
  {
    name: 'model neither here nor in the cache of the Hub',
    prepare: () => ({ model: 'org/nowhere' }),
    message: /org\/nowhere is neither a local folder nor in the Hub cache .*, and HF_HUB_OFFLINE is set/,
  },
  {
    name: 'revision of a folder',
    prepare: () => ({ revision: 'v1' }),
    exitCode: 2,
    message: /--revision v1: .* is a local folder, which has no revisions/,
  },
  {
    name: 'model is a file',
    prepare: () => ({ model: TEXTS }),
    message: /is a file, expected the model's folder/,
  },
  {
    name: 'no config.json',
    prepare: (folder) => {
      const model = copyModel(folder)
      rmSync(join(model, 'config.json'))
      return { model }
    },
    message: /has no config\.json/,
  },
  {
    name: 'config.json damaged',
    prepare: (folder) => {
      const model = copyModel(folder)
      truncateSync(join(model, 'config.json'), 20)
      return { model }
    },
    message: /config\.json is not valid JSON/,
  },
  {
    name: 'config without a layer number',
    prepare: (folder) => editConfig(folder, { num_hidden_layers: null }),
    message: /config\.json does not state num_hidden_layers/,
  },
  {
    name: 'config of another model',
    prepare: (folder) => editConfig(folder, { num_hidden_layers: 4 }),
    message:
      /residual stream of model\.onnx cannot be proven: config states 4 layers, so 4 or 8 sums were expected, and 6 found/,
  },
  {
    name: 'no graph',
    prepare: (folder) => {
      const model = copyModel(folder)
      rmSync(join(model, 'onnx'), { recursive: true })
      return { model }
    },
    message: /has no \.onnx graph|no safetensors weights|neither/,
  },
  { name: 'dtype not there', prepare: () => ({ dtype: 'bnb4' }), message: /has no bnb4 graph; it has fp32/ },
  {
    name: 'graph file not there',
    prepare: () => ({ 'model-file': 'onnx/other.onnx' }),
    message: /has no graph other\.onnx; it has/,
  },
  {
    name: 'graph file outside',
    prepare: () => ({ 'model-file': '../x.onnx' }),
    exitCode: 2,
    message: /outside the model folder/,
  },
  {
    name: 'truncated graph',
    prepare: (folder) => {
      const model = copyModel(folder)
      truncateSync(join(model, 'onnx/model.onnx'), 50_000)
      return { model }
    },
    message: /model\.onnx is not a complete ONNX file/,
  },
  {
    name: 'pointer instead of the graph',
    prepare: (folder) => {
      const model = copyModel(folder)
      writeFileSync(
        join(model, 'onnx/model.onnx'),
        'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n',
      )
      return { model }
    },
    message: /model\.onnx is not a complete ONNX file/,
  },
  {
    name: 'external data missing',
    prepare: (folder) => {
      const model = copyModel(folder, GENAI)
      rmSync(join(model, 'model.onnx.data'))
      return { model }
    },
    message: /model\.onnx\.data is missing: weight .* is stored there/,
  },
  {
    name: 'external data truncated',
    prepare: (folder) => {
      const model = copyModel(folder, GENAI)
      truncateSync(join(model, 'model.onnx.data'), 1000)
      return { model }
    },
    message: /model\.onnx\.data is truncated .*the file has 1000/,
  },
  {
    name: 'external data outside the folder',
    prepare: (folder) => {
      writeFileSync(join(folder, 'secret'), new Uint8Array(1e6))
      return editGraph(
        folder,
        ({ graph }) => {
          for (const { externalData } of graph!.initializer) {
            for (const entry of externalData) if (entry.key === 'location') entry.value = '../secret'
          }
        },
        GENAI,
      )
    },
    message: /lies outside the model's folder: "\.\.\/secret"/,
  },
  {
    name: 'weights that are not numbers',
    prepare: (folder) =>
      editGraph(folder, ({ graph }) => {
        const norm = graph!.initializer.find(({ name }) => /layers\.1\.post_attention_layernorm\.weight/.test(name))!
        norm.rawData = new Uint8Array(new Float32Array(norm.rawData.byteLength / 4).fill(Number.NaN).buffer)
      }),
    message: /tensor .*layers\.1\.post_attention_layernorm\.weight at \[0\]: expected a finite number, found NaN/,
  },
  {
    name: 'weights that no state stays finite with',
    prepare: (folder) =>
      editGraph(folder, ({ graph }) => {
        const norm = graph!.initializer.find(({ name }) => /layers\.1\.post_attention_layernorm\.weight/.test(name))!
        norm.rawData = new Uint8Array(new Float32Array(norm.rawData.byteLength / 4).fill(3e38).buffer)
      }),
    message: /state 2 is not finite \(the input of layer 2\) for .*texts\.jsonl:\d, token \d+ of \d+/,
  },
  {
    name: 'graph with an unknown input',
    prepare: (folder) =>
      editGraph(folder, ({ graph }) => {
        const positions = graph!.input.find(({ name }) => name === 'position_ids')!
        for (const node of graph!.node)
          node.input = node.input.map((name) => (name === 'position_ids' ? 'time_ids' : name))
        positions.name = 'time_ids'
      }),
    message: /needs an unknown input: time_ids/,
  },
  {
    name: 'tokenizer missing',
    prepare: (folder) => {
      const model = copyModel(folder)
      rmSync(join(model, 'tokenizer.json'))
      return { model }
    },
    message: /the tokenizer in .* cannot be loaded/,
  },
  { name: 'dataset missing', prepare: () => ({ dataset: 'nowhere.jsonl' }), message: /nowhere\.jsonl/ },
  {
    name: 'dataset neither here nor to be had',
    prepare: () => ({ dataset: 'org/texts' }),
    message: /org\/texts is not a local file or folder, and HF_HUB_OFFLINE is set/,
  },
  {
    name: 'dataset of an unknown kind',
    prepare: (folder) => writeData(folder, 'data.xlsx', 'x'),
    message: /data\.xlsx/,
  },
  {
    name: 'folder without data',
    prepare: (folder) => {
      mkdirSync(join(folder, 'empty'))
      return { dataset: 'empty' }
    },
    message: /empty/,
  },
  { name: 'wrong column', prepare: () => ({ 'dataset-column': 'body' }), message: /body.*columns: text/ },
  {
    name: 'empty dataset',
    prepare: (folder) => writeData(folder, 'data.jsonl', ''),
    message: /data\.jsonl holds no text to measure/,
  },
  {
    name: 'no row with text',
    prepare: (folder) => writeData(folder, 'data.jsonl', '{"text": ""}\n{"text": 3}\n'),
    message: /holds no text to measure: 1 empty row, 1 row without text/,
  },
  {
    name: 'damaged jsonl',
    prepare: (folder) => writeData(folder, 'data.jsonl', '{"text": "a"}\n{"text": '),
    message: /data\.jsonl:2/,
  },
  {
    name: 'damaged json',
    prepare: (folder) => writeData(folder, 'data.json', '[{"text": "a"}, {"te'),
    message: /data\.json/,
  },
  {
    name: 'truncated gz',
    prepare: (folder) => writeData(folder, 'data.jsonl.gz', gzipSync(readFileSync(TEXTS)).subarray(0, 80)),
    message: /data\.jsonl\.gz/,
  },
  {
    name: 'damaged parquet',
    prepare: (folder) => writeData(folder, 'data.parquet', 'PAR1 no more PAR1'),
    message: /data\.parquet/,
  },
  {
    name: 'link to nowhere',
    prepare: (folder) => {
      symlinkSync(join(folder, 'gone'), join(folder, 'data.jsonl'))
      return { dataset: 'data.jsonl' }
    },
    message: /data\.jsonl/,
  },
  {
    name: 'output is a file',
    prepare: (folder) => {
      writeFileSync(join(folder, 'out'), '')
      return { output: 'out' }
    },
    message: /cannot write out: is a file, expected a folder/,
  },
  {
    name: 'block as large as the model',
    prepare: () => ({ 'layers-to-skip': '3' }),
    exitCode: 2,
    message: /must be 1 to 2 for a model of 3 layers, found 3/,
  },
  {
    name: 'block of nothing',
    prepare: () => ({ 'layers-to-skip': '0' }),
    exitCode: 2,
    message: /--layers-to-skip/,
  },
  {
    name: 'number that is none',
    prepare: () => ({ 'batch-size': 'many' }),
    exitCode: 2,
    message: /--batch-size/,
  },
  { name: 'unknown dtype', prepare: () => ({ dtype: 'fp8' }), exitCode: 2, message: /--dtype.*fp8/ },
  {
    name: 'unknown flag',
    prepare: () => ({ layers: '3' }),
    exitCode: 2,
    message: /unknown option '--layers'/,
  },
  {
    name: 'split of files on disk',
    prepare: () => ({ 'dataset-split': 'test' }),
    exitCode: 2,
    message: /are the split train/,
  },
  {
    name: 'configuration of files on disk',
    prepare: () => ({ 'dataset-config': 'en' }),
    exitCode: 2,
    message: /--dataset-config en: files on disk .* have no configurations/,
  },
  {
    name: 'device that is not there',
    prepare: () => ({ device: 'coreml' }),
    message: /no device coreml; it has cpu/,
  },
]

describe('bad input ends in one clear line', () => {
  it.concurrent.each(cases)('$name', async ({ prepare, exitCode = 1, message }) => {
    const cwd = makeTempFolder()
    const flags = { model: LLAMA, dataset: TEXTS, 'layers-to-skip': '1', output: 'results', ...prepare(cwd) }
    const outcome = await runProgram(
      ['similarity', ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value])],
      { cwd },
    )
    const lines = outcome.stderr.trimEnd().split('\n')
    const failure = lines.findIndex((line) => line.startsWith('error: '))
    expect(lines[failure], outcome.stderr).toMatch(message)
    expect(outcome).toMatchObject({ exitCode, stdout: '' })
    expect(lines.slice(failure + 1).every((line) => line.startsWith('hint: '))).toBe(true)
    expect(lines.length - failure).toBeLessThanOrEqual(2)
    expect(outcome.stderr).not.toMatch(/unexpected|undefined|\[object|^ {4}at /m)
    expect(existsSync(join(cwd, 'results')) ? readdirSync(join(cwd, 'results')) : []).toEqual([])
  })
})
