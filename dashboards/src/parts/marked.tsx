import { highlight } from '../model/highlight.ts'
import { visible } from '../model/visible.ts'

/** A text with the searched words marked; what is in it cannot do harm. */
export function Marked({ text, pattern }: { text: string; pattern: RegExp | null }) {
  // Pieces of one text have no other identity than their place.
  // eslint-disable-next-line react/no-array-index-key
  return highlight(text, pattern).map(({ text: piece, hit }, at) =>
    hit ? <mark key={at}>{visible(piece)}</mark> : visible(piece),
  )
}
