import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { openModelSource } from '../../../src/files/checkpoint/open-model-source.js'
import { type HubServer, startHubServer } from '../../support/hub/server.js'
import { makeTempFolder } from '../../support/temp-folder.js'

let server: HubServer
let proxy: Server
let home: string
/** What the proxy answers to each CONNECT. */
let status = 403
beforeAll(async () => {
  server = await startHubServer()
  server.add(
    { type: 'model', id: 'org/model', files: { 'config.json': '{}' } },
    { type: 'model', id: 'org/gated', files: { 'config.json': '{}' }, access: 'gated' },
  )
  proxy = createServer()
  proxy.on('connect', (_, socket) => socket.end(`HTTP/1.1 ${status} No\r\n\r\n`))
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
})
afterAll(async () => {
  proxy.close()
  await server.close()
})
beforeEach(() => {
  server.reset()
  home = makeTempFolder()
  vi.stubEnv('HF_HOME', home)
  vi.stubEnv('HF_ENDPOINT', server.endpoint)
  vi.stubEnv('LAYERPRUNE_RETRY_SECONDS', '0.2')
})
afterEach(() => {
  vi.unstubAllEnvs()
})

async function download(model: string) {
  const source = await openModelSource({ model })
  await source.provide(['config.json'])
}

describe('a proxy that fails is named, without its password', () => {
  const useProxy = (address: string) => {
    for (const name of ['http_proxy', 'HTTP_PROXY']) vi.stubEnv(name, address)
    for (const name of ['no_proxy', 'NO_PROXY']) vi.stubEnv(name, '')
  }
  const own = () => (proxy.address() as AddressInfo).port

  it('is down', async () => {
    useProxy('http://me:secret@127.0.0.1:1')
    await expect(download('org/model')).rejects.toMatchObject({
      message: expect.stringMatching(/the proxy 127\.0\.0\.1:1: the connection is refused \(tried/),
    })
    await expect(download('org/model')).rejects.not.toThrow(/secret/)
  })

  it.each([
    [407, /^the proxy 127\.0\.0\.1:\d+ answers 407 when asked to connect to 127\.0\.0\.1:\d+$/, /NAME:PASSWORD/],
    [403, /^the proxy 127\.0\.0\.1:\d+ answers 403 when asked to connect to 127\.0\.0\.1:\d+$/, /NO_PROXY/],
    [502, /the proxy 127\.0\.0\.1:\d+ answers 502 .* \(tried/, /check the connection/],
  ])('answers %i', async (answered, message, hint) => {
    status = answered
    useProxy(`http://me:secret@127.0.0.1:${own()}`)
    await expect(download('org/model')).rejects.toMatchObject({
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    })
  })

  it.each(['socks5://127.0.0.1:1080', 'http://['])('is of no use: %s', async (address) => {
    useProxy(address)
    await expect(download('org/model')).rejects.toMatchObject({
      message: 'the proxy that the environment names cannot be used: expected an http:// address',
      hint: 'check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY',
    })
  })
})

describe('a name and password in HF_ENDPOINT', () => {
  beforeEach(() => {
    vi.stubEnv('HF_ENDPOINT', server.endpoint.replace('//', '//me:secret@'))
    vi.stubEnv('HF_TOKEN', 'hf_good')
  })

  const failureOf = (model: string) =>
    download(model).then(
      () => expect.unreachable(),
      ({ message, hint }: { message: string; hint?: string }) => `${message}\n${hint}`,
    )

  it.each(['org/none', 'org/gated'])('are sent to it, and not shown: %s', async (model) => {
    const failure = await failureOf(model)
    expect(failure).toContain(server.endpoint)
    expect(failure).not.toMatch(/secret|me:/)
    const basic = `Basic ${Buffer.from('me:secret').toString('base64')}`
    expect(new Set(server.requests.map(({ authorization }) => authorization))).toEqual(new Set([basic]))
  })

  it('are named if the server refuses them', async () => {
    server.fail(/revision/, { kind: 'status', status: 401 })
    expect(await failureOf('org/model')).toContain(`${server.endpoint} refuses the name and password in HF_ENDPOINT`)
  })
})
