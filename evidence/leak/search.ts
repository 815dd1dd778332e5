/** What is searched for, as bytes, and to which item it belongs. */
type Piece = Readonly<{ bytes: Buffer; owner: number }>

/** The search compares this many bytes at once, so every needle must be at least as long. */
const WINDOW = 8
const [BASE, MASK_BITS] = [0x01000193, 22]
/** BASE to the power of WINDOW, modulo 2^32: the weight of a byte when it leaves the window. */
const LEAVING = Array.from({ length: WINDOW }).reduce<number>((product) => Math.imul(product, BASE), 1)

/** So many letters and digits do not occur by chance; of digits alone, more are needed. Other characters do not count. */
const [PIECE, PIECE_OF_DIGITS] = [10, 12]
const COUNTS = /[\p{L}\p{N}]/u

/** Ten characters of base64 can hold only five digits, which occur by chance. And a mask never leaves a part of base64. */
const isBase64OfText = (needle: string) =>
  /^[A-Za-z0-9+/]+$/.test(needle) && /^[\x20-\x7e]+$/.test(Buffer.from(needle, 'base64').toString('latin1'))

/** The beginning and the end of a needle: a mask that leaves one of them did not hide it. */
function ends(needle: string): readonly string[] {
  if (isBase64OfText(needle)) return [needle]
  const letters = [...needle]
  const places = letters.flatMap((letter, index) => (COUNTS.test(letter) ? [index] : []))
  const count = /\p{L}/u.test(needle) ? PIECE : PIECE_OF_DIGITS
  const [last, first] = [places[count - 1], places.at(-count)]
  return last === undefined || first === undefined
    ? [needle]
    : [letters.slice(0, last + 1).join(''), letters.slice(first).join('')]
}

/** The forms in which programs write a text: unchanged, in JSON, in JSON of ASCII only, and as a Prometheus name. */
function writings(text: string): readonly string[] {
  const json = JSON.stringify(text).slice(1, -1)
  const ascii = json.replace(/[^\0-\x7f]/g, (unit) => `\\u${(unit.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`)
  const name = text.replace(/[^A-Za-z0-9_]/gu, '_')
  return [...new Set([text, json, ascii, ...(/[A-Za-z0-9]{4}/.test(name) ? [name] : [])])]
}

/** Searches for many needles at once. The search returns the numbers of the needles that are in the bytes. */
export function searcherFor(needles: readonly (readonly string[])[]): (bytes: Buffer) => ReadonlySet<number> {
  const maybe = new Uint8Array(1 << (MASK_BITS - 3))
  const pieces = new Map<number, Piece[]>()
  for (const [owner, own] of needles.entries()) {
    for (const text of new Set(own.flatMap(ends).flatMap(writings))) {
      const bytes = Buffer.from(text)
      if (bytes.length < WINDOW) throw new Error(`"${text}" is too short to search for`)
      const hash = hashOf(bytes)
      const bit = hash >>> (32 - MASK_BITS)
      maybe[bit >>> 3] = (maybe[bit >>> 3] ?? 0) | (1 << (bit & 7))
      const same = pieces.get(hash)
      if (same) same.push({ bytes, owner })
      else pieces.set(hash, [{ bytes, owner }])
    }
  }
  return (bytes) => {
    const found = new Set<number>()
    if (bytes.length < WINDOW) return found
    let hash = hashOf(bytes)
    for (let end = WINDOW; ; end++) {
      const bit = hash >>> (32 - MASK_BITS)
      if (((maybe[bit >>> 3] ?? 0) >>> (bit & 7)) & 1) {
        for (const { bytes: piece, owner } of pieces.get(hash) ?? []) {
          const begin = end - WINDOW
          const until = begin + piece.length
          if (until <= bytes.length && piece.compare(bytes, begin, until) === 0) found.add(owner)
        }
      }
      if (end >= bytes.length) return found
      const out = bytes[end - WINDOW] ?? 0
      hash = (Math.imul(hash, BASE) + (bytes[end] ?? 0) - Math.imul(out, LEAVING)) >>> 0
    }
  }
}

/** The hash of the first WINDOW bytes. */
function hashOf(bytes: Buffer): number {
  let hash = 0
  for (let at = 0; at < WINDOW; at++) hash = (Math.imul(hash, BASE) + (bytes[at] ?? 0)) >>> 0
  return hash
}
