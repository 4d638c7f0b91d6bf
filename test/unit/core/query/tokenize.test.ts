import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { TOKEN_CHARS_MAX, isTokenChar, lowerCase, tokenize } from '../../../../core/query/tokenize.ts'

test.each([
  { name: 'punctuation separates', text: 'user_id=42 web-3.eu', tokens: ['user_id', '42', 'web', '3', 'eu'] },
  { name: 'an address is four tokens', text: '10.0.0.1:80', tokens: ['10', '0', '0', '1', '80'] },
  { name: 'an apostrophe separates', text: "it's 1,024", tokens: ['it', 's', '1', '024'] },
  { name: 'ASCII is lower-cased', text: 'com.acme.FooBar', tokens: ['com', 'acme', 'foobar'] },
  { name: 'the underscore is part of a token', text: '__init__', tokens: ['__init__'] },
  { name: 'an empty text has none', text: '', tokens: [] },
  { name: 'separators alone are none', text: ' -=[]{}()<>!?\u00a0\ufeff', tokens: [] },
  {
    name: 'the blanks of Unicode separate',
    text: 'a\u00a0b\u2003c\u3000d\u2028e\u202ff',
    tokens: ['a', 'b', 'c', 'd', 'e', 'f'],
  },
  { name: 'the zero-width space does not separate', text: 'a\u200bb', tokens: ['a\u200bb'] },
  { name: 'other signs are part of a token', text: 'a–b “c” €5', tokens: ['a–b', '“c”', '€5'] },
  { name: 'letters of all scripts are lower-cased', text: 'ÄÖÜ Ёлка', tokens: ['äöü', 'ёлка'] },
  { name: 'sigma is lower-cased without its neighbours', text: 'ΟΔΟΣ', tokens: ['οδοσ'] },
  { name: 'U+0130 becomes i', text: 'İZMİR', tokens: ['izmir'] },
  { name: 'the Kelvin sign becomes k', text: '\u212a', tokens: ['k'] },
  { name: 'sharp s stays', text: 'STRASSE Straße', tokens: ['strasse', 'straße'] },
  { name: 'astral letters are lower-cased', text: '\u{10400}', tokens: ['\u{10428}'] },
  { name: 'a lone surrogate is part of a token', text: 'a\ud800b', tokens: ['a\ud800b'] },
])('tokenize: $name', ({ text, tokens }) => {
  expect(tokenize(text)).toEqual(tokens)
})

test.each([
  { name: 'ASCII', text: 'x'.repeat(600), lengths: [255, 255, 90] },
  { name: 'beyond ASCII', text: 'ä'.repeat(256), lengths: [255, 1] },
  { name: 'exactly the maximum', text: 'x'.repeat(255), lengths: [255] },
  { name: 'never inside a surrogate pair', text: '\u{1f987}'.repeat(200), lengths: [256, 144] },
  { name: 'each token by itself', text: `${'x'.repeat(256)} y`, lengths: [255, 1, 1] },
])('a long token is cut every 255 units: $name', ({ text, lengths }) => {
  expect(tokenize(text).map((token) => token.length)).toEqual(lengths)
})

test('lower-casing never changes the length', () => {
  const changed: string[] = []
  for (let point = 0; point <= 0x10ffff; point++) {
    const char = String.fromCodePoint(point)
    if (lowerCase(char).length !== char.length) changed.push(char)
  }
  expect(changed).toEqual([])
})

test('the separators are the listed ones', () => {
  const blanks = [0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000, 0xfeff]
  for (let point = 0x2000; point <= 0x200a; point++) blanks.push(point)
  const wrong: string[] = []
  for (let point = 0; point <= 0xffff; point++) {
    const char = String.fromCodePoint(point)
    const separates = point < 0x80 ? !/[A-Za-z0-9_]/.test(char) : blanks.includes(point)
    if (isTokenChar(char) === separates) wrong.push(point.toString(16))
  }
  expect(wrong).toEqual([])
})

test('any text: tokens are not empty, short enough, and tokens of themselves', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (text) => {
      const tokens = tokenize(text)
      expect(tokens.filter(({ length }) => length === 0 || length > TOKEN_CHARS_MAX + 1)).toEqual([])
      expect(tokens.flatMap(tokenize)).toEqual(tokens)
    }),
  )
})
