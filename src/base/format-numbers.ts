/** A distance or its error to 4 decimals, from 10 on to 5 digits; `<0.0001` if positive but too small. */
export function formatDistance(distance: number): string {
  if (distance >= 10) return distance < 1e5 ? distance.toPrecision(5) : distance.toExponential(3)
  const text = distance.toFixed(4)
  return distance > 0 && Number(text) === 0 ? '<0.0001' : text
}

/** `0.1876 ± 0.0009`, the error to the decimals of the distance; only the distance if no error is known. */
export function formatEstimate(distance: number, standardError: number | null): string {
  const text = formatDistance(distance)
  if (standardError === null) return text
  const [, decimals = ''] = text.split('.')
  const error =
    distance < 10 || distance >= 1e5 ? formatDistance(standardError) : standardError.toFixed(decimals.length)
  return `${text} ± ${error}`
}

/** A whole number with its thousands separated, `32,768`, whatever the locale. */
export function formatCount(count: number): string {
  return String(count).replaceAll(/\B(?=(\d{3})+$)/g, ',')
}

/** A number of bits, to a hundredth: `4.5 bits`. */
export function formatBits(bits: number): string {
  return `${Number(bits.toFixed(2))} bits`
}

/** A count and its noun: `1 text`, `4,000 texts`. */
export function formatQuantity(count: number, singular: string, plural = `${singular}s`): string {
  return `${formatCount(count)} ${count === 1 ? singular : plural}`
}

/** `a`, `a and b`, `a, b and c`. */
export function formatList(items: string[]): string {
  return [items.slice(0, -1).join(', '), items.at(-1)].filter((part) => part !== '').join(' and ')
}

/** A perplexity, its error or a ratio of two: `26.31`, `1,024`, `7.9e+6`; beyond 100,000 more digits say nothing. */
export function formatPerplexity(value: number): string {
  if (value < 1000) return value.toFixed(2)
  return value < 1e5 ? formatCount(Math.round(value)) : value.toExponential(1)
}

/** A size in the unit that suits it: `711 B`, `3.5 MB`, `16.1 GB`. */
export function formatSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  const power = Math.min(3, Math.floor(Math.log10(bytes) / 3))
  const value = bytes / 1000 ** power
  return `${value < 100 ? value.toPrecision(2 + Number(value >= 10)) : formatCount(Math.round(value))} ${['B', 'kB', 'MB', 'GB'][power]}`
}

/** A confidence in percent, rounded down to a tenth, because it promises at least that much: `99.3%`, `over 99.9%`. */
export function formatConfidence(share: number): string {
  if (share > 0.999) return 'over 99.9%'
  // 0.95 * 1000 is 949.99...
  return `${Math.floor(share * 1000 + 1e-9) / 10}%`
}

/** A confidence that was found, which below one half settles nothing: `< 50%`. */
export function formatFoundConfidence(share: number): string {
  return share < 0.5 ? '< 50%' : formatConfidence(share)
}

/** A share in percent, to a tenth: `68.4%`. */
export function formatShare(share: number): string {
  return `${(share * 100).toFixed(1)}%`
}

/** With a capital letter, as a sentence starts. */
export function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

/** A time to wait: `23 s`, `12 min`, `2 h 5 min`. */
export function formatDuration(seconds: number): string {
  if (seconds < 99.5) return `${Math.max(1, Math.round(seconds))} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 100) return `${minutes} min`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** An accuracy, its error or a difference of two, to 4 decimals: `0.5500`; empty if there is none. */
export function formatAccuracy(accuracy: number | undefined): string {
  return accuracy === undefined ? '' : accuracy.toFixed(4)
}

/** Whole tokens; empty if there is none. */
export function formatSpeed(tokensPerSecond: number | null): string {
  return tokensPerSecond === null ? '' : formatCount(Math.round(tokensPerSecond))
}
