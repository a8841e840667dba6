/** The part of a stored tensor that an initializer of a built graph holds. */
export interface StoredPart {
  tensor: string
  /** Rows [start, end), counted over all axes but the last; undefined for the whole tensor. */
  rows: [start: number, end: number] | undefined
}

/** The name of the initializer that holds a part of a stored tensor. */
export function nameStoredPart({ tensor, rows }: StoredPart): string {
  return rows === undefined ? tensor : `${tensor}[${rows.join(':')}]`
}

/** The inverse of `nameStoredPart`. */
export function readStoredPart(initializer: string): StoredPart {
  const part = /^(.*)\[(\d+):(\d+)\]$/.exec(initializer)
  if (part === null) return { tensor: initializer, rows: undefined }
  return { tensor: part[1]!, rows: [Number(part[2]), Number(part[3])] }
}
