/** A value with its type, and perhaps a sample rate. */
const BIT = /^[^:|\r]+\|(?:c|g|ms|h|d|s)(?:\|@[^:|\r]+)?\r?$/

/**
 * The lines that a chain stands for: `name:1|c:320|ms|@0.1` is `name:1|c` and `name:320|ms|@0.1`, as the first statsd has it. Tags have
 * colons of their own and are not part of it. null: it is none.
 */
export function unchained(text: string): readonly string[] | null {
  const [name = '', ...bits] = text.split(':')
  if (name === '' || bits.length < 2 || !bits.every((bit) => BIT.test(bit))) return null
  return bits.map((bit) => `${name}:${bit}`)
}
