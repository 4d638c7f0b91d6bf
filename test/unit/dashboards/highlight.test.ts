import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { highlight, highlighter } from '../../../dashboards/src/model/highlight.ts'

const hits = (query: string, text: string) =>
  highlight(text, highlighter(query))
    .filter((piece) => piece.hit)
    .map((piece) => piece.text)

test.each<{ name: string; query: string; text: string; marked: string[] }>([
  {
    name: 'a word, in any case',
    query: 'timeout',
    text: 'Timeout after TIMEOUT',
    marked: ['Timeout', 'TIMEOUT'],
  },
  { name: 'whole words only', query: 'time', text: 'timeout time', marked: ['time'] },
  {
    name: 'a phrase across any separators',
    query: '"connection reset"',
    text: 'connection/ reset',
    marked: ['connection/ reset'],
  },
  {
    name: 'a word with separators is a phrase',
    query: 'web-3.eu',
    text: 'on web-3.eu now',
    marked: ['web-3.eu'],
  },
  {
    name: 'a star stays inside one word',
    query: 'conn*',
    text: 'connection reset conn',
    marked: ['connection', 'conn'],
  },
  { name: 'a question mark is one character', query: 'c?t', text: 'cat cut coat', marked: ['cat', 'cut'] },
  { name: 'a star in quotes is none', query: '"conn*"', text: 'connection conn*', marked: ['conn'] },
  { name: 'an escaped quote', query: '"say \\"hi\\""', text: 'say "hi" twice', marked: ['say "hi'] },
  {
    name: 'both sides of OR',
    query: 'reset OR timeout',
    text: 'reset, timeout',
    marked: ['reset', 'timeout'],
  },
  { name: 'not what NOT excludes', query: 'reset NOT peer', text: 'reset by peer', marked: ['reset'] },
  { name: 'not what a minus excludes', query: 'reset -peer -"by"', text: 'reset by peer', marked: ['reset'] },
  {
    name: 'nothing in an excluded group',
    query: 'NOT (reset OR (by peer)) x',
    text: 'reset by peer x',
    marked: ['x'],
  },
  { name: 'not the values of other fields', query: 'host:web level:error', text: 'web error', marked: [] },
  {
    name: 'the values of message',
    query: 'message:(reset peer)',
    text: 'reset by peer',
    marked: ['reset', 'peer'],
  },
  {
    name: 'not a group of another field',
    query: 'service:(api OR web) reset',
    text: 'api web reset',
    marked: ['reset'],
  },
  {
    name: 'letters beyond ASCII belong to words',
    query: 'zürich',
    text: 'Zürich zürichs',
    marked: ['Zürich'],
  },
  { name: 'nothing for a bare star', query: '*', text: 'anything', marked: [] },
  { name: 'nothing for an empty query', query: ' ', text: 'anything', marked: [] },
  { name: 'nothing for a regex', query: '/time.*/', text: 'timeout', marked: [] },
  { name: 'the longer of two that start together', query: 'a "a b"', text: 'a b a', marked: ['a b', 'a'] },
])('$name', ({ query, text, marked }) => {
  expect(hits(query, text)).toEqual(marked)
})

test('the pieces together are the text, whatever the query', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (query, text) => {
      const pieces = highlight(text, highlighter(query))
      expect(pieces.map((piece) => piece.text).join('')).toBe(text)
    }),
  )
})

test('a query full of wildcards is not slow', () => {
  const startMs = performance.now()
  hits('*a*a*a*a*a*a*b', 'a'.repeat(4000))
  hits('*a*b', 'a'.repeat(4000))
  expect(performance.now() - startMs).toBeLessThan(1000)
})
