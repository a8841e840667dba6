import type { AsyncBuffer } from 'hyparquet'

/** A file that can be read from any position; whoever opens it closes it. */
export interface RandomAccessFile extends AsyncBuffer {
  close(): Promise<void>
}

/** A file of a dataset, wherever it is: the format readers know no more about it than this. */
export interface DataSource {
  /** For messages and row origins. */
  name: string
  /** The bytes in order; a chunk stays valid after the next one. Ending the iteration early closes the file. */
  readBytes(): AsyncIterable<Uint8Array>
  openRandomAccess(): Promise<RandomAccessFile>
}
