import { gzipSync } from 'node:zlib'
import { makeParquet, makeTexts } from './parquet-files.js'
import type { RepoContent } from './repos.js'

/** A dataset with what must be read of it; test/interop/hub.test.ts asks Python for the same. */
export interface SampleDataset {
  repo: RepoContent
  /** An older name that layerprune asks by; Python's datasets knows full names only. */
  id?: string
  config?: string
  split?: string
  column?: string
  revision?: string
}

const toJsonl = (texts: (string | null)[], column = 'text') =>
  texts.map((text, id) => `${JSON.stringify({ id, [column]: text })}\n`).join('')
const toCsv = (texts: string[]) => `id,text\n${texts.map((text, i) => `${i},"${text}"\n`).join('')}`
const card = (yaml: string) => `---\nlicense: mit\n${yaml}---\n# A dataset\n`

const UNICODE = [
  'größer, überall',
  '日本語のテキスト',
  '🙂🚀 emoji',
  'مرحبا بالعالم',
  'e\u0301 ≠ é',
  '\u2028 separators \u0085',
]

/** Two frames of Zstandard: JSON Lines with the texts "packed 0" to "packed 2", packed by the zstd program. */
const ZSTD = Buffer.from(
  'KLUv/SQ2TQEABAJ7ImlkIjowLCJ0ZXh0IjoicGFja2VkIDAifQoxMSJ9CgIAAIl9mGP8adt2KLUv/SQb2QAAeyJpZCI6MiwidGV4dCI6InBhY2tlZCAyIn0KjxCnDg==',
  'base64',
)

const sharded: RepoContent = {
  type: 'dataset',
  id: 'org/sharded',
  files: {
    'README.md': '# No configurations here\n',
    'data/train-00000-of-00004.parquet': makeParquet(['a0', null, 'a2', '', 'a4'], 2),
    'data/train-00001-of-00004.parquet': makeParquet([]),
    'data/train-00002-of-00004.parquet': makeParquet(UNICODE, 100),
    'data/train-00003-of-00004.parquet': makeParquet(makeTexts(2500, 20), 1000),
    'data/test-00000-of-00001.parquet': makeParquet(['t0', 't1']),
    'data/extra_part-00000-of-00001.parquet': makeParquet(['x0']),
  },
}

const configs: RepoContent = {
  type: 'dataset',
  id: 'org/configs',
  files: {
    'README.md': card(`configs:
- config_name: en
  data_files:
  - split: train
    path: en/*.jsonl
  - split: test
    path: [en/held-out/first.jsonl, en/held-out/*.jsonl]
- config_name: de
  default: true
  data_files: "de/part-*.jsonl"
- config_name: nested
  data_dir: deep
  data_files:
  - split: train
    path: "**/*.jsonl"
`),
    'en/b.jsonl': toJsonl(['en b0', 'en b1']),
    'en/a.jsonl': toJsonl(['en a0']),
    'en/held-out/first.jsonl': toJsonl(['first']),
    'en/held-out/second.jsonl': toJsonl(['second']),
    'de/part-1.jsonl': toJsonl(['de 1']),
    'de/part-10.jsonl': toJsonl(['de 10']),
    'de/part-2.jsonl': toJsonl(['de 2']),
    'deep/x.jsonl': toJsonl(['deep x']),
    'deep/a/z.jsonl': toJsonl(['deep a/z']),
    'deep/a.b/y.jsonl': toJsonl(['deep a.b/y']),
    'deep/a/.hidden.jsonl': toJsonl(['hidden']),
    'deep/__cache/c.jsonl': toJsonl(['cache']),
  },
  branches: { v1: { 'train.jsonl': toJsonl(['version 1']) } },
}

const unicode: RepoContent = {
  type: 'dataset',
  id: 'org/unicode',
  files: {
    'README.md': card(`configs:\n- config_name: default\n  data_files: "daten ü/*.jsonl"\n`),
    'daten ü/größe 1.jsonl': toJsonl(UNICODE),
    'daten ü/\uff5e.jsonl': toJsonl(['full-width']),
    'daten ü/\u{1f642}.jsonl': toJsonl(['beyond the first plane comes last']),
  },
}

const folders: RepoContent = {
  type: 'dataset',
  id: 'org/folders',
  files: {
    'train/b.csv': toCsv(['train b0']),
    'train/a.csv': toCsv(['train a0', 'train, a1']),
    'val/c.csv': toCsv(['val c0']),
  },
}

const named: RepoContent = {
  type: 'dataset',
  id: 'org/named',
  files: {
    'my-train-2.txt': 'line 1\nline 2\n\n line 4\n',
    'my-train-1.txt': 'first\n',
    'my_eval.txt': 'held out\n',
    'LICENSE.md': 'not data',
  },
}

const single: RepoContent = {
  type: 'dataset',
  id: 'org/old-dataset',
  aliases: ['old-dataset'],
  files: { 'rows.jsonl': toJsonl(['s0', 's1'], 'body') },
}

const packed: RepoContent = {
  type: 'dataset',
  id: 'org/packed',
  files: {
    'train/0.jsonl.gz': gzipSync(toJsonl(['gz 0', 'gz 1'])),
    'train/1.jsonl.zst': ZSTD,
    'train/2.jsonl': '',
    'train/3.jsonl': toJsonl(['plain']),
  },
}

/** Datasets whose rows must come in the order of Python's. */
export const SAMPLES: Record<string, SampleDataset> = {
  'sharded parquet with an empty part': { repo: sharded },
  'another split of it': { repo: sharded, split: 'test' },
  'a split of its own name': { repo: sharded, split: 'extra_part' },
  'the default of several configurations': { repo: configs },
  'a named configuration': { repo: configs, config: 'en' },
  'a list of patterns': { repo: configs, config: 'en', split: 'test' },
  'patterns over folders': { repo: configs, config: 'nested' },
  'a revision': { repo: configs, revision: 'v1' },
  'unicode in texts and names': { repo: unicode },
  'folders by split': { repo: folders },
  'folders by split, called otherwise': { repo: folders, split: 'validation' },
  'text files by split': { repo: named },
  'text files of the test split': { repo: named, split: 'test' },
  'an old name and another column': { repo: single, id: 'old-dataset', column: 'body' },
  'gzip, Zstandard and an empty file': { repo: packed },
}
