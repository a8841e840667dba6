import { createHash } from 'node:crypto'

/** SHA-256 in hex of what JSON can hold. */
export function digest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex')
}
