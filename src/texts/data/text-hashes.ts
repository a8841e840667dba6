import { createHash, type Hash } from 'node:crypto'

/** Characters of the hash of a text: 6 bytes in base64. */
const HASH_LENGTH = 8

/** Characters of a text that are hashed at once. */
const HASHED_CHARACTERS = 1 << 20

/**
 * A text's name among others: the first 6 bytes of its SHA-256 in base64. Of a million texts, one other text in 280
 * million has the name of one of them.
 */
export function hashText(text: string): string {
  return updateWithText(createHash('sha256'), text).digest('base64').slice(0, HASH_LENGTH)
}

export function countHashes(hashes: string): number {
  return Math.floor(hashes.length / HASH_LENGTH)
}

/** Hashes that stand one after another. */
export function splitHashes(hashes: string): string[] {
  return Array.from({ length: countHashes(hashes) }, (_, index) =>
    hashes.slice(HASH_LENGTH * index, HASH_LENGTH * (index + 1)),
  )
}

/** The first hashes of those that stand one after another. */
export function takeHashes(hashes: string, count: number): string {
  return hashes.slice(0, HASH_LENGTH * count)
}

/** Feeds a text to a hash in parts, because hashing copies its input. */
export function updateWithText(hash: Hash, text: string): Hash {
  for (let start = 0, end = 0; start < text.length; start = end) {
    end = start + HASHED_CHARACTERS
    if (isHighSurrogate(text.charCodeAt(end - 1))) end++
    hash.update(text.slice(start, end))
  }
  return hash
}

function isHighSurrogate(unit: number): boolean {
  return (unit & 0xfc00) === 0xd800
}
