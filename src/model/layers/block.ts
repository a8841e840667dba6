/** A block of layers [start, end), 0-based: removing it joins state `start` to where state `end` was. */
export interface Block {
  start: number
  /** exclusive */
  end: number
}
