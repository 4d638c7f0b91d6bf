import { parseRegex } from '../../core/query/regex.ts'
import type { RegexNode } from '../../core/query/regex.ts'

type CharRange = Extract<RegexNode, { type: 'class' }>['ranges'][number]

/** The tree of a regex of a plan; null when it is nested deeper than people may write it. */
export function readRegex(source: string): RegexNode | null {
  try {
    return parseRegex(source)
  } catch {
    return null // Plans are bounded when they are made, so this is no regex of the parser.
  }
}

/** The regex as Lucene reads it without its optional operators; null for half of a surrogate pair, which cannot be sent. */
export function luceneRegex(node: RegexNode): string | null {
  const text = rendered(node)
  return text.isWellFormed() ? text : null
}

/** `.*` */
export function isAnyRepeat(node: RegexNode): boolean {
  return node.type === 'repeat' && node.node.type === 'any' && node.min === 0 && node.max === null
}

function rendered(node: RegexNode): string {
  if (node.type === 'char') return escaped(node.char)
  if (node.type === 'any') return '.'
  if (node.type === 'class') return `[${node.negated ? '^' : ''}${node.ranges.map(renderedRange).join('')}]`
  if (node.type === 'sequence') return node.nodes.map(rendered).join('')
  if (node.type === 'choice') return `(${node.nodes.map(rendered).join('|')})`
  return `(${rendered(node.node)})${count(node.min, node.max)}`
}

function renderedRange([from, to]: CharRange): string {
  const [low, high] = [from, to].map((point) => escaped(String.fromCodePoint(point)))
  return from === to ? (low ?? '') : `${low}-${high}`
}

/** Letters and digits must not be escaped, everything else of ASCII may be. */
function escaped(char: string): string {
  return /[\0-\x7f]/.test(char) && !/\w/.test(char) ? `\\${char}` : char // eslint-disable-line no-control-regex -- ASCII
}

function count(min: number, max: number | null): string {
  if (max === null) return min === 0 ? '*' : `{${min},}`
  return min === max ? `{${min}}` : `{${min},${max}}`
}
