import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { readSample } from '../support/hub/read-sample.js'
import { filesOf } from '../support/hub/repos.js'
import { SAMPLES } from '../support/hub/sample-datasets.js'
import { type HubServer, startHubServer } from '../support/hub/server.js'
import { FIXTURES, TEXTS } from '../support/paths.js'
import { runProgram } from '../support/run-program.js'
import { makeTempFolder } from '../support/temp-folder.js'
import { describeWithPython, python } from './needs.js'

const script = join(import.meta.dirname, 'check_hub.py')

const MODEL = join(FIXTURES, 'families/llama')

describeWithPython("Python's huggingface_hub and datasets", () => {
  let server: HubServer
  let home: string
  beforeAll(async () => {
    server = await startHubServer({ pageSize: 3 })
    server.add(...new Set(Object.values(SAMPLES).map(({ repo }) => repo)))
    server.add({ type: 'model', id: 'org/llama', files: filesOf(MODEL), aliases: ['llama'] })
    server.add({ type: 'model', id: 'org/gated', files: filesOf(MODEL), access: 'gated' })
    server.add({ type: 'model', id: 'org/private', files: filesOf(MODEL), access: 'private' })
  })
  afterAll(() => server.close())
  beforeEach(() => {
    server.reset()
    home = makeTempFolder()
  })

  const ask = async <T>(task: object, env: Record<string, string> = {}): Promise<T> =>
    (await askAll<T>([task], env))[0]!

  /** Answers of one process of Python, which takes seconds to start. */
  async function askAll<T>(tasks: object[], env: Record<string, string> = {}): Promise<T[]> {
    const child = spawn(python, [script], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, HF_ENDPOINT: server.endpoint, HF_HOME: home, ...env },
    })
    child.stdin.end(tasks.map((task) => `${JSON.stringify(task)}\n`).join(''))
    const texts = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        texts[name] += text
      })
    }
    await new Promise((resolve) => child.on('close', resolve))
    const answers = texts.stdout.split('\n').slice(0, -1)
    if (answers.length !== tasks.length) throw new Error(texts.stderr)
    return answers.map((answer) => JSON.parse(answer))
  }

  it('streams the same rows in the same order', async () => {
    const samples = Object.values(SAMPLES)
    const tasks = samples.map(({ repo, id: _, ...options }) => ({ rows: repo.id, ...options }))
    const answers = await askAll<(string | null)[]>(tasks)
    for (const [i, [name, sample]] of Object.entries(SAMPLES).entries()) {
      const texts = answers[i]!.filter((text) => typeof text === 'string' && text.trim() !== '')
      expect(texts.length, name).toBeGreaterThan(0)
      expect(await readSample(server, sample), name).toEqual(texts)
    }
  })

  it('reads the server as the Hub: listings in pages, refusals, old names', async () => {
    const sizes = Object.fromEntries(Object.entries(filesOf(MODEL)).map(([path, { length }]) => [path, length]))
    expect(await ask({ tree: 'org/llama', type: 'model' })).toEqual(sizes)
    expect(server.requests.filter(({ url }) => url.includes('/tree/')).length).toBeGreaterThan(1)
    const errors = await askAll([
      { error: 'llama' },
      { error: 'org/none' },
      { error: 'org/llama', revision: 'v9' },
      { error: 'org/gated' },
      { error: 'org/private' },
    ])
    expect(errors).toEqual([
      [null, null],
      ['RepositoryNotFoundError', 'RepositoryNotFoundError'],
      ['RevisionNotFoundError', 'RevisionNotFoundError'],
      [null, 'GatedRepoError'],
      ['RepositoryNotFoundError', 'RepositoryNotFoundError'],
    ])
    expect(await ask({ error: 'org/private' }, { HF_TOKEN: 'hf_good' })).toEqual([null, null])
    expect(server.requests.filter(({ at }) => at === 'cdn').every(({ authorization }) => !authorization)).toBe(true)
  })

  const measure = (env: Record<string, string>) =>
    runProgram(['similarity', '--model', 'org/llama', '--dataset', TEXTS, '--layers-to-skip', '1', '--json'], {
      env: { HF_ENDPOINT: server.endpoint, HF_HOME: home, HF_HUB_OFFLINE: '0', ...env },
    })

  it('uses what snapshot_download brought, without a request', async () => {
    const { folder } = await ask<{ folder: string }>({ snapshot: 'org/llama' })
    expect(folder).toContain(home)
    server.reset()
    const { exitCode, stdout, stderr } = await measure({ HF_HUB_OFFLINE: '1' })
    expect(stderr).not.toContain('error')
    expect(exitCode).toBe(0)
    expect(JSON.parse(stdout).model).toMatchObject({
      id: 'org/llama',
      revision: server.commitOf('org/llama'),
    })
    expect(server.requests).toEqual([])
    await measure({})
    expect(server.requests.filter(({ url }) => /resolve|blobs/.test(url))).toEqual([])
  })

  it('finds what layerprune brought, and downloads none of it again', async () => {
    expect((await measure({})).exitCode).toBe(0)
    server.reset()
    for (const name of ['config.json', 'model.safetensors', 'tokenizer.json']) {
      const path = await ask<string>({ file: 'org/llama', name }, { HF_HUB_OFFLINE: '1' })
      expect(readFileSync(path)).toEqual(readFileSync(join(MODEL, name)))
    }
    expect(server.requests).toEqual([])
    const { digests } = await ask<{ digests: Record<string, string> }>({ snapshot: 'org/llama' })
    expect(digests).toEqual(
      Object.fromEntries(
        Object.entries(filesOf(MODEL)).map(([path, bytes]) => [path, createHash('sha256').update(bytes).digest('hex')]),
      ),
    )
    expect(server.requests.filter(({ at }) => at === 'cdn')).toEqual([])
  })
})
