// A Hub that answers one request of a run as no Hub should.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HOSTILE_TEXTS, listPlaces } from './mutate-json.js'
import { WrongSuccess } from './outcomes.js'
import { pick } from './random.js'

/** Nothing else asks a Hub, or reads the user's cache of it. */
export const OFFLINE = { HF_HUB_OFFLINE: '1', HF_HOME: join(tmpdir(), 'layerprune-hardening-no-hub') }

const COMMIT = 'c0ffee'.padEnd(40, '0')
const LARGE_BYTES = 4096
const hash = (algorithm, ...parts) => parts.reduce((sum, part) => sum.update(part), createHash(algorithm)).digest('hex')

const ADDRESSES = [
  'file:///etc/passwd',
  'data:text/plain,x',
  'javascript:1',
  'http://[',
  '//',
  '/',
  'http://127.0.0.1:1/',
  'ftp://127.0.0.1/',
  '?',
  `/${'x'.repeat(9000)}`,
]
const HEADERS = {
  location: ADDRESSES,
  link: ['<http://[>; rel="next"', '<>; rel="next"', '<http://127.0.0.1:1/>; rel="next"', '<?>; rel=next', '<'],
  etag: ['', '"', '"../../../x"', 'W/"0"'],
  'x-repo-commit': ['', '../..', 'f'.repeat(40)],
  'x-revision': ['', 'f'.repeat(40)],
  'x-linked-size': ['-1', '1', '999999999999999', 'NaN'],
  'x-linked-etag': ['""', '"../../x"', `"${'0'.repeat(64)}"`],
  'content-range': ['bytes 0-0/1', 'bytes */0', 'bytes 5-1/3', 'bytes 0-1/999999999999999', 'x'],
  'content-type': ['text/html', '', 'application/json; charset=utf-7'],
  'content-encoding': ['gzip', 'br', 'x'],
  'retry-after': ['-1', '1e9', 'x', '999999999'],
  ratelimit: ['"api";r=0;t=999999999', '"api";r=0;t=x'],
  'x-error-message': ['\u009b31m owned', '%00%1b[2J'],
}
const VALUES = [null, {}, [], 1, -1, 1e9, 1e308, true, 'x', [null], { toString: 1 }, ...HOSTILE_TEXTS]
const BODIES = ['', 'null', '[]', '{}', '"x"', '[null]', '[[]]', '{"__proto__":null}', '['.repeat(100_000), '<html>']
const STATUS = [200, 201, 204, 206, 300, 301, 302, 304, 307, 400, 401, 403, 404, 408, 416, 418, 429, 500, 503, 599]

const NOT_FOUND = json({ error: 'Entry not found' }, { 'x-error-code': 'EntryNotFound' }, 404)

/** What becomes of one answer; the sound description is `{}`. */
export function mutateAnswer(_, random) {
  const answer = random(8)
  const header = pick(Object.keys(HEADERS), random)
  const change = pick(
    [
      { place: random(1 << 16), value: pick(VALUES, random) },
      { place: random(1 << 16), value: pick(VALUES, random) },
      { headers: { [header]: pick(HEADERS[header], random) } },
      { status: pick([301, 302, 307, 308], random), headers: { location: pick(ADDRESSES, random) } },
      { status: pick(STATUS, random) },
      { body: pick(BODIES, random) },
      { cut: random(1 << 16), breaks: random(2) === 0 },
      { flip: random(1 << 16) },
    ],
    random,
  )
  return Buffer.from(JSON.stringify({ answer, ...change }))
}

/**
 * Runs an action with a Hub of its own, an empty cache and no patience.
 * @param repo `{ type, id, files, exported }`: content by name, and the parquet file that the Hub made of a dataset
 * @param change what becomes of one answer
 * @throws WrongSuccess where the cache then holds a file that is not what its name says
 */
export async function withHub(repo, change, action) {
  const home = mkdtempSync(join(tmpdir(), 'layerprune-hub-'))
  const { endpoint, close } = await serveRepo(repo, change)
  const settings = { LAYERPRUNE_RETRY_SECONDS: '0', HF_HUB_DOWNLOAD_TIMEOUT: '0.5' }
  Object.assign(process.env, settings, { HF_ENDPOINT: endpoint, HF_HOME: home, HF_HUB_OFFLINE: '0' })
  try {
    return await action()
  } finally {
    Object.assign(process.env, OFFLINE)
    close()
    checkBlobs(home)
    rmSync(home, { recursive: true, force: true })
  }
}

async function serveRepo(repo, change) {
  let count = 0
  const server = createServer((request, response) => {
    const sound = answerOf(decodeURIComponent(request.url.split('?')[0]))
    send(request, response, change.answer === count++ ? changeAnswer(sound, change) : sound)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const endpoint = `http://127.0.0.1:${server.address().port}`
  const answerOf = makeAnswers(repo, endpoint)
  return {
    endpoint,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** The Hub's answers by path; large files lie at an address of their own, as those of a CDN. */
function makeAnswers({ type, id, files, exported }, endpoint) {
  const entries = Object.entries(files).map(([path, content]) => describeFile(path, Buffer.from(content)))
  const api = `/api/${type}s/${id}`
  const top = type === 'dataset' ? `/datasets/${id}` : `/${id}`
  const whole = (body, headers = {}) => ({ status: 200, headers, body, ranges: true })
  return (path) => {
    if (path.startsWith(`${api}/revision/`)) return json({ _id: '0', id, sha: COMMIT })
    if (path.startsWith(`${api}/tree/${COMMIT}`)) return listFolder(path.slice(`${api}/tree/${COMMIT}/`.length))
    if (path === `${api}/parquet` && exported) {
      return json({ default: { train: [`${endpoint}${api}/parquet/default/train/0.parquet`] } })
    }
    if (path.endsWith('/0.parquet') && exported) return whole(exported)
    const file = entries.find((entry) => path === `${top}/resolve/${COMMIT}/${entry.path}`)
    if (file) return answerWithFile(file)
    const blob = entries.find(({ sha256 }) => path === `/blobs/${sha256}`)
    return blob ? whole(blob.content, { etag: `"${blob.sha256}"` }) : NOT_FOUND
  }

  function listFolder(folder) {
    const listed = entries.filter(({ path }) => folder === '' || path.startsWith(`${folder}/`))
    if (listed.length === 0) return NOT_FOUND
    return json(listed.map(({ content: _, sha256: __, ...entry }) => entry))
  }

  function answerWithFile({ content, lfs, oid, sha256 }) {
    const headers = { 'x-repo-commit': COMMIT, 'x-linked-size': `${content.length}` }
    if (!lfs) return whole(content, { ...headers, etag: `"${oid}"` })
    const location = `${endpoint}/blobs/${sha256}`
    return {
      status: 302,
      headers: { ...headers, 'x-linked-etag': `"${sha256}"`, location },
      body: Buffer.alloc(0),
    }
  }
}

function describeFile(path, content) {
  const sha256 = hash('sha256', content)
  const size = content.length
  const oid = hash('sha1', `blob ${size}\0`, content)
  return {
    type: 'file',
    path,
    size,
    oid,
    ...(size >= LARGE_BYTES && { lfs: { oid: sha256, size } }),
    content,
    sha256,
  }
}

function json(value, headers = {}, status = 200) {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: Buffer.from(JSON.stringify(value)),
  }
}

function changeAnswer({ status, headers, body, ranges }, change) {
  const changed = {
    status: change.status ?? status,
    headers: { ...headers, ...change.headers },
    body,
    ranges,
  }
  if (change.body !== undefined) changed.body = Buffer.from(change.body)
  if (change.place !== undefined && headers['content-type'] === 'application/json') {
    const document = [JSON.parse(body)]
    const places = listPlaces(document)
    const { parent, key } = places[change.place % places.length]
    parent[key] = change.value
    changed.body = Buffer.from(JSON.stringify(document[0]) ?? '')
  }
  if (change.flip !== undefined && body.length > 0) {
    changed.body = Buffer.from(body)
    changed.body[change.flip % body.length] ^= 0x55
  }
  if (change.cut !== undefined && body.length > 0) {
    const kept = change.cut % body.length
    changed.body = body.subarray(0, kept)
    if (change.breaks) changed.announced = body.length
  }
  return changed
}

function send(request, response, { status, headers, body, ranges, announced }) {
  const [, start, end] = (ranges && /^bytes=(\d*)-(\d*)$/.exec(request.headers.range ?? '')) || []
  const first = start === undefined ? 0 : start === '' ? Math.max(0, body.length - Number(end)) : Number(start)
  const last = start && end ? Math.min(Number(end), body.length - 1) : body.length - 1
  const part = body.subarray(first, last + 1)
  const range = start !== undefined && { 'content-range': `bytes ${first}-${last}/${body.length}` }
  const length = announced === undefined ? part.length : Math.max(announced, part.length + 1)
  const sent = Object.entries({ 'content-length': `${length}`, ...range, ...headers }).map(([name, value]) => [
    name,
    Buffer.from(value).toString('latin1'),
  ])
  response.on('error', () => {})
  response.writeHead(range && status === 200 ? 206 : status, Object.fromEntries(sent))
  response.write(part, () => (announced === undefined ? response.end() : response.destroy()))
}

function checkBlobs(home) {
  const files = readdirSync(home, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  for (const { parentPath, name } of files) {
    if (!parentPath.endsWith('blobs') || !/^[0-9a-f]{40}(?:[0-9a-f]{24})?$/.test(name)) continue
    const content = readFileSync(join(parentPath, name))
    const found = name.length === 64 ? hash('sha256', content) : hash('sha1', `blob ${content.length}\0`, content)
    if (found !== name) throw new WrongSuccess(`the cache holds ${found} under the name ${name}`)
  }
}
