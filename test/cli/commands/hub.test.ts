import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { findSchemaProblem } from '../../../src/results/documents/json-schema.js'
import { readReference } from '../../support/fixture-model.js'
import { makeParquet } from '../../support/hub/parquet-files.js'
import { filesOf } from '../../support/hub/repos.js'
import { type HubServer, startHubServer } from '../../support/hub/server.js'
import { largestDifferenceByKey } from '../../support/largest-difference.js'
import { FIXTURES, TEXTS } from '../../support/paths.js'
import { runProgram } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const texts = readFileSync(TEXTS, 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line).text as string)
const many = Array.from({ length: 300 }, (_, i) => `${i} ${texts[i % texts.length]}`)
const toJsonl = (rows: string[]) => rows.map((text) => `${JSON.stringify({ text })}\n`).join('')
const LLAMA = filesOf(join(FIXTURES, 'families/llama'))
const GRAPHS = filesOf(join(FIXTURES, 'onnx/llama'))

let server: HubServer
let home: string
beforeAll(async () => {
  server = await startHubServer()
  server.add(
    {
      type: 'model',
      id: 'org/llama',
      files: { ...LLAMA, 'pytorch_model.bin': 'x' },
      branches: { v1: LLAMA },
    },
    { type: 'model', id: 'org/shards', files: filesOf(join(FIXTURES, 'families/mixtral')) },
    { type: 'model', id: 'org/graphs', files: GRAPHS },
    {
      type: 'model',
      id: 'org/external',
      files: { ...filesOf(join(FIXTURES, 'onnx/genai-llama')), 'other.data': 'x' },
    },
    {
      type: 'model',
      id: 'org/quants',
      files: {
        'README.md': '# GGUF',
        'llama.gguf': readFileSync(join(FIXTURES, 'gguf/llama.gguf')),
        'small/qwen3.gguf': readFileSync(join(FIXTURES, 'gguf/qwen3.gguf')),
      },
    },
    { type: 'model', id: 'org/gated', files: LLAMA, access: 'gated' },
    { type: 'model', id: 'org/private', files: LLAMA, access: 'private' },
    {
      type: 'model',
      id: 'org/pickle',
      files: { 'config.json': LLAMA['config.json']!, 'pytorch_model.bin': 'x' },
    },
    { type: 'dataset', id: 'org/texts', files: {}, parquet: { default: { train: [makeParquet(texts)] } } },
    { type: 'dataset', id: 'org/many', files: { 'a/train.jsonl': toJsonl(many) } },
  )
})
afterAll(() => server.close())
beforeEach(() => {
  server.reset()
  home = makeTempFolder()
})

const hubEnv = () => ({
  HF_ENDPOINT: server.endpoint,
  HF_HOME: home,
  HF_HUB_OFFLINE: '0',
  HF_HUB_DOWNLOAD_TIMEOUT: '1',
  LAYERPRUNE_RETRY_SECONDS: '1',
})

function measure(flags: Record<string, string>, env: Record<string, string> = {}, cwd = makeTempFolder()) {
  const all = { model: 'org/llama', dataset: 'org/texts', 'layers-to-skip': '1', output: 'out', ...flags }
  const args = Object.entries(all).flatMap(([name, value]) => [`--${name}`, ...(value === '' ? [] : [value])])
  return runProgram(['similarity', ...args, '--json'], { cwd, env: { ...hubEnv(), ...env } })
}

/** Files of the cache's snapshots. */
const cachedFiles = (id: string) => {
  const snapshots = join(home, `hub/models--${id.replace('/', '--')}/snapshots`)
  return readdirSync(snapshots)
    .flatMap((commit) => readdirSync(join(snapshots, commit), { recursive: true }) as string[])
    .filter((name) => name !== 'onnx')
    .sort()
}

describe('a model and a dataset by their ids', () => {
  it('give the numbers of the same files on disk, and say which commits they were', async () => {
    const cwd = makeTempFolder()
    const { exitCode, stdout, stderr } = await measure({}, { HF_TOKEN: 'hf_good' }, cwd)
    expect(stderr).not.toContain('error')
    expect(exitCode).toBe(0)
    const result = JSON.parse(stdout)
    const local = JSON.parse((await measure({ model: join(FIXTURES, 'families/llama'), dataset: TEXTS })).stdout)
    expect(result.distances).toEqual(local.distances)
    expect(result.model).toMatchObject({ id: 'org/llama', revision: server.commitOf('org/llama') })
    expect(result.dataset).toMatchObject({
      id: 'org/texts',
      config: 'default',
      split: 'train',
      revision: server.commitOf('org/texts'),
      samples: texts.length,
    })
    expect(cachedFiles('org/llama')).toEqual([
      'config.json',
      'model.safetensors',
      'tokenizer.json',
      'tokenizer_config.json',
    ])
    const atCdn = server.requests.filter(({ at }) => at === 'cdn')
    expect(atCdn.length).toBeGreaterThan(0)
    expect(atCdn.filter(({ authorization }) => authorization !== undefined)).toEqual([])
    expect(
      server.requests.filter(({ at }) => at === 'hub').every(({ authorization }) => authorization === 'Bearer hf_good'),
    ).toBe(true)
    const { slices } = parse(readFileSync(join(cwd, 'out/slice.yaml'), 'utf8'))
    expect(slices[0].sources[0].model).toBe('org/llama')

    server.reset()
    expect((await measure({})).stdout).not.toBe('')
    expect(server.requests.filter(({ url }) => /llama\/resolve/.test(url))).toEqual([])
    server.reset()
    const offline = await measure({ dataset: TEXTS }, { HF_HUB_OFFLINE: '1' })
    expect(JSON.parse(offline.stdout).distances).toEqual(result.distances)
    expect(server.requests).toEqual([])
  })

  it('mix datasets of the Hub, and files, in shares, and say which commits they were', async () => {
    const cwd = makeTempFolder()
    const next = { m: many.values(), t: texts.values(), f: texts.slice(2).values() }
    // each text is of the dataset furthest behind its share
    const mixed = ([...'mtfmmtfm'] as ('m' | 't' | 'f')[]).map((dataset) => next[dataset].next().value!)
    writeFileSync(join(cwd, 'mixed.jsonl'), toJsonl(mixed))
    writeFileSync(join(cwd, 'file.jsonl'), toJsonl(texts.slice(2)))
    const run = async (...flags: string[]) => {
      const args = ['--model', join(FIXTURES, 'families/llama'), '--layers-to-skip', '1', '--json', '--dataset']
      return runProgram(['similarity', ...args, ...flags], { cwd, env: hubEnv() })
    }
    const shares = ['org/many:2', 'org/texts:1', 'file.jsonl:1']
    const { exitCode, stdout, stderr } = await run(...shares, '--dataset-size', '8')
    expect({ exitCode, stderr: exitCode === 0 ? '' : stderr }).toEqual({ exitCode: 0, stderr: '' })
    const { dataset, distances } = JSON.parse(stdout)
    const local = JSON.parse((await run('mixed.jsonl', '-o', 'local')).stdout)
    expect(distances).toEqual(local.distances)
    expect(dataset).toMatchObject({
      id: shares.join(', '),
      fingerprint: local.dataset.fingerprint,
      shares: [
        { id: 'org/many', share: 0.5, split: 'train', revision: server.commitOf('org/many') },
        {
          ...{ id: 'org/texts', share: 0.25, config: 'default' },
          ...{ split: 'train', revision: server.commitOf('org/texts') },
        },
        { id: 'file.jsonl', share: 0.25 },
      ],
    })
    expect(findSchemaProblem('similarity', JSON.parse(stdout))).toBeNull()
    const pinned = await run(...shares, '--dataset-revision', 'main', '-o', 'pinned')
    expect(pinned.stderr).toContain('error: --dataset-revision main: 3 datasets are mixed')
  })

  it('one GGUF file of several is fetched alone, and a tokenizer from another model', async () => {
    const flags = {
      model: 'org/quants',
      'model-file': 'llama.gguf',
      tokenizer: 'org/graphs',
      'max-length': '32',
    }
    const { distances, model } = JSON.parse((await measure(flags)).stdout)
    const { last } = readReference(join(FIXTURES, 'families/llama'))
    expect(largestDifferenceByKey(distances, last)).toBeLessThan(1e-6)
    expect(model).toMatchObject({ id: 'org/quants', file: 'llama.gguf', family: 'llama' })
    expect(cachedFiles('org/quants')).toEqual(['llama.gguf'])
    expect(cachedFiles('org/graphs')).toEqual(['config.json', 'tokenizer.json', 'tokenizer_config.json'])
  })

  it('a revision is measured and named in the slices', async () => {
    const cwd = makeTempFolder()
    const { stdout } = await measure({ revision: 'v1' }, {}, cwd)
    const commit = server.commitOf('org/llama', 'v1')
    expect(JSON.parse(stdout).model).toMatchObject({ revision: commit, askedRevision: 'v1' })
    expect(readFileSync(join(home, 'hub/models--org--llama/refs/v1'), 'utf8')).toBe(commit)
    expect(readFileSync(join(cwd, 'out/slice.yaml'), 'utf8')).toContain(`org/llama@${commit}`)
    const again = await runProgram(['slice-config', '--from', 'out/similarity.json'], { cwd })
    expect(again.stdout).toBe(readFileSync(join(cwd, 'out/slice.yaml'), 'utf8'))
  })

  it.each([
    [
      'org/shards',
      {},
      [
        'config.json',
        'model-00001-of-00002.safetensors',
        'model-00002-of-00002.safetensors',
        'model.safetensors.index.json',
      ],
    ],
    ['org/graphs', { dtype: 'q8' }, ['config.json', 'onnx/model_quantized.onnx']],
    ['org/external', {}, ['genai_config.json', 'model.onnx', 'model.onnx.data']],
  ])('only the files of the weights that are read come: %s %j', async (model, flags, files) => {
    const { exitCode, stderr } = await measure({ model, ...flags })
    expect(stderr).not.toContain('error')
    expect(exitCode).toBe(0)
    expect(cachedFiles(model).filter((name) => !name.startsWith('tokenizer'))).toEqual(files)
  })

  it('a folder of that name comes first', async () => {
    const cwd = makeTempFolder()
    writeFileSync(join(cwd, 'texts'), '')
    const { stderr } = await measure({ dataset: 'texts' }, {}, cwd)
    expect(stderr).toContain('dataset file texts is of an unknown kind')
  })
})

describe('what cannot be had is refused with the next step', () => {
  it.concurrent.each([
    [
      { model: 'org/gated' },
      {},
      'model org/gated is gated: its licence must be accepted first',
      /accept it at .*\/org\/gated, then log in/,
    ],
    [
      { model: 'org/gated' },
      { HF_TOKEN: 'hf_x' },
      'model org/gated is gated',
      /with the account of the token in HF_TOKEN/,
    ],
    [{ model: 'org/private' }, {}, 'the Hub has no model org/private, or it is private', /for a private model log in/],
    [
      { model: 'org/private' },
      { HF_TOKEN: 'hf_x' },
      'no model org/private that the token may see',
      /the token in HF_TOKEN has access/,
    ],
    [{ model: 'org/none' }, {}, 'org/none is not a local folder, and the Hub has no model org/none', /check the name/],
    [{}, { HF_TOKEN: 'wrong' }, 'the Hub refuses the token in HF_TOKEN', /make a new token/],
    [{ revision: 'v9' }, {}, 'model org/llama has no revision v9', /branches and tags/],
    [{ model: 'org/pickle' }, {}, 'pytorch_model.bin is not a valid PyTorch file', /download/],
    [{ model: 'org/graphs', dtype: 'bnb4' }, {}, 'org/graphs has no bnb4 graph; it has fp32', /--dtype fp32/],
    [{ dataset: 'org/none' }, {}, 'the Hub has no dataset org/none', /check the name/],
    [
      { 'dataset-column': 'body' },
      {},
      "column 'body' is not in org/texts/default/train/0.parquet; columns: id, text",
      /--dataset-column text/,
    ],
    [{}, { HF_ENDPOINT: 'nonsense' }, 'HF_ENDPOINT: expected a web address', undefined],
  ] as const)('%j %j', async (flags, env, message, hint) => {
    const { exitCode, stdout, stderr } = await measure(flags, env)
    const lines = stderr.trimEnd().split('\n')
    const failure = lines.findIndex((line) => line.startsWith('error: '))
    expect(lines[failure]).toContain(message)
    if (hint) expect(lines[failure + 1]).toMatch(hint)
    expect(lines.length - failure).toBe(hint ? 2 : 1)
    expect(exitCode).toBeGreaterThan(0)
    expect(stdout).toBe('')
  })

  it('a private model comes with the token of the token file', async () => {
    writeFileSync(join(home, 'token'), 'hf_good\n')
    const { exitCode } = await measure({ model: 'org/private' })
    expect(exitCode).toBe(0)
  })
})

describe('a run that loses the network', () => {
  it('keeps what it measured, and continues from there to the right numbers', async () => {
    const cwd = makeTempFolder()
    const flags = { dataset: 'org/many', 'batch-size': '4' }
    await measure({ model: 'org/llama', 'dataset-size': '1' }) // the model is in the cache
    server.fail(/blobs/, { kind: 'drop', afterBytes: 12_000 })
    server.fail(/blobs/, { kind: 'status', status: 503 }, Number.POSITIVE_INFINITY)
    const lost = await measure(flags, {}, cwd)
    expect(lost.exitCode).toBe(1)
    expect(lost.stdout).toBe('')
    // a slow machine has no time left to try again after the connection was lost
    expect(lost.stderr).toMatch(/error: cannot read org\/many\/a\/train\.jsonl: .* (answers 503|was lost)/)
    expect(lost.stderr).toMatch(/what was measured so far \(\d+ texts\) is in out\/similarity\.partial\.json/)
    expect(existsSync(join(cwd, 'out/similarity.json'))).toBe(false)
    const partial = JSON.parse(readFileSync(join(cwd, 'out/similarity.partial.json'), 'utf8'))
    expect(partial.partial).toBe(true)
    expect(partial.dataset.samples).toBeGreaterThan(0)
    expect(partial.dataset.samples).toBeLessThan(many.length)

    server.reset()
    const resumed = await measure({ ...flags, resume: '' }, {}, cwd)
    expect(resumed.stderr).toContain('continuing after')
    const whole = await measure(flags)
    expect(JSON.parse(resumed.stdout).distances).toEqual(JSON.parse(whole.stdout).distances)
    expect(JSON.parse(resumed.stdout).dataset.samples).toBe(many.length)
  })
})

describe('a proxy', () => {
  it('carries what NO_PROXY does not except', async () => {
    const hosts: string[] = []
    const proxy = createServer()
    proxy.on('connect', (request, socket) => {
      hosts.push(request.url!)
      const [host, port] = request.url!.split(':')
      const target = connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
        target.pipe(socket).pipe(target)
      })
      target.on('error', () => socket.destroy())
      socket.on('error', () => target.destroy())
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    const env = { HTTP_PROXY: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` }
    try {
      expect((await measure({}, { ...env, NO_PROXY: '' })).exitCode).toBe(0)
      expect(new Set(hosts).size).toBe(2)
      hosts.length = 0
      expect((await measure({}, { ...env, NO_PROXY: '127.0.0.1' })).exitCode).toBe(0)
      expect(hosts).toEqual([])
    } finally {
      proxy.closeAllConnections()
      proxy.close()
    }
  })
})
