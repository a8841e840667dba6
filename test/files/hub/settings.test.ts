import { writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { isRepoId, isSafePath } from '../../../src/files/hub/repo.js'
import { readHubSettings } from '../../../src/files/hub/settings.js'
import { makeTempFolder } from '../../support/temp-folder.js'

describe("settings are those of Python's huggingface_hub", () => {
  it('without any variable', () => {
    expect(readHubSettings({})).toMatchObject({
      endpoint: 'https://huggingface.co',
      cacheFolder: join(homedir(), '.cache/huggingface/hub'),
      offline: false,
      stallMs: 10_000,
      retryMs: 120_000,
      useLinks: true,
    })
  })

  it.each([
    [{ HF_ENDPOINT: 'https://mirror.example/' }, { endpoint: 'https://mirror.example' }],
    [
      { HF_ENDPOINT: 'https://me:p%40ss@mirror.example:8443/hub/' },
      {
        endpoint: 'https://mirror.example:8443/hub',
        credentials: Buffer.from('me:p@ss').toString('base64'),
      },
    ],
    [{ HF_HOME: '~/hf' }, { cacheFolder: join(homedir(), 'hf/hub') }],
    [{ XDG_CACHE_HOME: '/c' }, { cacheFolder: '/c/huggingface/hub' }],
    [{ HF_HUB_CACHE: '$BASE/x', BASE: '/base' }, { cacheFolder: '/base/x' }],
    [{ HUGGINGFACE_HUB_CACHE: '/old' }, { cacheFolder: '/old' }],
    [{ HF_HUB_OFFLINE: 'on' }, { offline: true }],
    [{ HF_HUB_OFFLINE: '0' }, { offline: false }],
    [{ TRANSFORMERS_OFFLINE: 'true' }, { offline: true }],
    [{ HF_TOKEN: ' hf_a\n' }, { token: 'hf_a', tokenSource: 'HF_TOKEN' }],
    [{ HUGGING_FACE_HUB_TOKEN: 'hf_b' }, { token: 'hf_b', tokenSource: 'HUGGING_FACE_HUB_TOKEN' }],
    [{ HF_HUB_DOWNLOAD_TIMEOUT: '30' }, { stallMs: 30_000 }],
    [{ HF_HUB_DISABLE_SYMLINKS: '1' }, { useLinks: false }],
  ])('%j', (environment, settings) => {
    expect(readHubSettings(environment)).toMatchObject(settings)
  })

  it('the token file comes after the variables', () => {
    const home = makeTempFolder()
    expect(readHubSettings({ HF_HOME: home }).token).toBeUndefined()
    writeFileSync(join(home, 'token'), 'hf_file\n')
    expect(readHubSettings({ HF_HOME: home })).toMatchObject({
      token: 'hf_file',
      tokenSource: join(home, 'token'),
    })
    expect(readHubSettings({ HF_TOKEN_PATH: join(home, 'token') }).token).toBe('hf_file')
    expect(readHubSettings({ HF_HOME: home, HF_TOKEN: 'hf_a' }).token).toBe('hf_a')
  })

  it.each([
    [{ HF_ENDPOINT: 'huggingface.co' }, /HF_ENDPOINT: expected a web address/],
    [{ HF_ENDPOINT: 'me:secret@mirror' }, /^HF_ENDPOINT: expected a web address, found "mirror"$/],
    [{ HF_TOKEN: 'two words' }, /the token in HF_TOKEN holds spaces/],
    [{ HF_HUB_DOWNLOAD_TIMEOUT: 'soon' }, /HF_HUB_DOWNLOAD_TIMEOUT: expected seconds/],
  ])('%j makes no sense', (environment, message) => {
    expect(() => readHubSettings(environment)).toThrow(message)
  })
})

it.each(['gpt2', 'org/name', 'HuggingFaceTB/SmolLM2-135M', 'a_b/c.d-e', '01-ai/Yi-6B'])('%s can be an id', (id) => {
  expect(isRepoId(id)).toBe(true)
})
it.each(['./x', '../x', '/x', 'a/b/c', 'a//b', '', '.', 'a/', 'a b', 'org/x.git', 'a--b', 'org/..', 'C:\\x', 'größe'])(
  '%j cannot be an id',
  (id) => expect(isRepoId(id)).toBe(false),
)
it.each(['../x', 'a/../../x', '/etc/x', 'a\\..\\x', 'C:x', 'a//b', './a', 'a/.', 'a\u0000b', ''])(
  '%j is no file name that stays in its folder',
  (path) => expect(isSafePath(path)).toBe(false),
)
