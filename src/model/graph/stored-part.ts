/** What an initializer of a built graph holds of a stored tensor. */
export interface StoredPart {
  tensor: string
  /** First and last (exclusive) of its rows, counted over all axes but the last; undefined if it holds all. */
  rows: [start: number, end: number] | undefined
}

/** The name of the initializer that holds a part of a stored tensor. */
export function nameStoredPart({ tensor, rows }: StoredPart): string {
  return rows === undefined ? tensor : `${tensor}[${rows.join(':')}]`
}

/** Reads from the name of an initializer what it holds. */
export function readStoredPart(initializer: string): StoredPart {
  const part = /^(.*)\[(\d+):(\d+)\]$/.exec(initializer)
  if (part === null) return { tensor: initializer, rows: undefined }
  return { tensor: part[1]!, rows: [Number(part[2]), Number(part[3])] }
}
