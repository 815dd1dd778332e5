/** Text as a tokenizer would cut it: about four characters a token, at least one per word; joined, they are the text. */
export function tokens(text: string): readonly string[] {
  return text.match(/\s*\S{1,4}|\s+$/g) ?? []
}
