/** Bytes that GPT-2 writes as the character of the same number; the others follow 255 in their order. */
const isVisible = (byte: number) => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173)

const BYTES = new Map<string, number>()
for (let byte = 0, next = 256; byte < 256; byte++) {
  BYTES.set(String.fromCharCode(isVisible(byte) ? byte : next++), byte)
}

/** The text of a byte-level token; parts of characters become U+FFFD. */
export function decodeBytes(token: string): string {
  const bytes = [...token].map((character) => BYTES.get(character))
  return bytes.includes(undefined) ? token : Buffer.from(bytes as number[]).toString()
}
