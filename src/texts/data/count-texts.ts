import type { DataSource } from '../../files/byte-source.js'

/** How many texts a dataset holds. */
export interface TextTotal {
  texts: number
  /** Whether it is estimated from the part of the files that was read. */
  isEstimate: boolean
}

/** A place in a file: so many texts are in its first bytes. */
interface Place {
  texts: number
  bytes: number
}

/** Counts the texts of a file and the bytes that they take there. */
export class FileCount {
  readonly #sizeBytes: number
  /** Whether the size of a text says nothing about its bytes in the file. */
  #isPacked: boolean
  /** The last place that is known exactly. */
  #exact: Place = { texts: 0, bytes: 0 }
  #texts = 0
  #textBytes = 0
  #rows: number | undefined

  constructor(sizeBytes: number, isPacked: boolean) {
    this.#sizeBytes = sizeBytes
    this.#isPacked = isPacked
  }

  /** The source, which notes how far its bytes were taken: what follows is asked for when all before it is used. */
  watch(source: DataSource): DataSource {
    const note = (bytes: number) => {
      this.#exact = { texts: this.#texts, bytes }
    }
    return {
      ...source,
      async *readBytes() {
        let bytes = 0
        for await (const chunk of source.readBytes()) {
          note(bytes)
          bytes += chunk.length
          yield chunk
        }
        note(bytes)
      },
    }
  }

  /** For a file that says how many rows it has. */
  setRows(rows: number): void {
    this.#rows = rows
  }

  /** @param row 1-based number of the row that was read, if the file says how many there are */
  addText(text: unknown, row: number | undefined): void {
    this.#texts++
    if (typeof text === 'string') this.#textBytes += text.length
    else this.#isPacked = true
    if (this.#rows === undefined || row === undefined) return
    this.#exact = { texts: this.#texts, bytes: (this.#sizeBytes * row) / this.#rows }
  }

  end(): void {
    this.#exact = { texts: this.#texts, bytes: this.#sizeBytes }
  }

  /** The last known place; within the first bytes that were read, texts take about their own size. */
  get place(): Place {
    const { texts, bytes } = this.#exact
    if (texts > 0) return { texts, bytes }
    // a file may be read whole before its first text comes out of it
    if (bytes > 0 || this.#isPacked || this.#rows !== undefined) return { texts: 0, bytes: 0 }
    return { texts: this.#texts, bytes: Math.min(this.#textBytes, this.#sizeBytes) }
  }
}

/**
 * Estimates how many texts files hold, from those that were read.
 * @param totalBytes of all files, read or not
 * @returns null if nothing is known yet
 */
export function estimateTexts(counts: FileCount[], totalBytes: number): number | null {
  const places = counts.map(({ place }) => place)
  const bytes = places.reduce((sum, place) => sum + place.bytes, 0)
  const texts = places.reduce((sum, place) => sum + place.texts, 0)
  return bytes > 0 && texts > 0 ? Math.round((texts / bytes) * totalBytes) : null
}
