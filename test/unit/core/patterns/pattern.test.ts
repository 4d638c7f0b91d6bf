import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  PATTERN_CHARS_MAX,
  patternId,
  patternOf,
  TEMPLATE_CHARS_MAX,
} from '../../../../core/patterns/pattern.ts'
import { generateLines } from '../../../support/generator.ts'

describe('the template of a message', () => {
  test.each([
    ['number', 'served 42 requests in 1.5 s', 'served <*> requests in <*> s'],
    ['number with a unit', 'took 350ms (45.2%)', 'took <*> (<*>%)'],
    ['negative number', 'exit code -1', 'exit code <*>'],
    ['hex with a prefix', 'fault at 0xdeadbeef', 'fault at <*>'],
    ['hex without a digit', 'commit deadbeef is bad', 'commit <*> is bad'],
    ['short words of a to f', 'added a facade', 'added a facade'],
    ['uuid', 'job 123e4567-e89b-12d3-a456-426614174000 done', 'job <*> done'],
    ['IPv4 and port', 'from 10.0.0.1:8080 refused', 'from <*> refused'],
    ['IPv6', 'from fe80::1:ab refused', 'from <*> refused'],
    ['MAC address', 'lease for 00:1b:44:11:3a:b7 ended', 'lease for <*> ended'],
    ['word with a digit', 'node web-12 is up', 'node <*> is up'],
    ['host name', 'lookup of mail.example.com failed', 'lookup of <*> failed'],
    ['class name', 'com.example.shop.Cart failed', 'com.example.shop.Cart failed'],
    ['file name', 'missing config.yaml', 'missing config.yaml'],
    ['mail address', 'mail to bob@example.com bounced', 'mail to <*> bounced'],
    ['name in a domain', 'logon of CORP\\alice refused', 'logon of <*> refused'],
    ['path', 'cannot open /var/lib/app/data: denied', 'cannot open <*>: denied'],
    ['path at the end of a sentence', 'cannot open /etc/hosts.', 'cannot open <*>.'],
    ['Windows path', 'cannot open C:\\temp\\app.log', 'cannot open <*>'],
    ['URL', 'GET https://example.com/a?b=c failed', 'GET <*> failed'],
    ['alternatives', 'read/write error', 'read/write error'],
    ['RFC 3339 time', '2026-01-05T10:11:12.123Z start', '<*> start'],
    ['time with a space and a comma', '2026-01-05 10:11:12,123 start', '<*> start'],
    ['syslog time', 'since Jan  5 10:11:12 idle', 'since <*> idle'],
    ['ctime', 'at Mon Jan 15 10:11:12 2026 idle', 'at <*> idle'],
    ['mail time', 'at Mon, 5 Jan 2026 10:11:12 +0000 idle', 'at <*> idle'],
    ['month that is a word', 'it May work', 'it May work'],
    ['double quotes', 'relation "orders" is gone', 'relation <*> is gone'],
    ['single quotes', "access denied for 'root'", 'access denied for <*>'],
    ['backticks', 'table `orders` is full', 'table <*> is full'],
    ['apostrophe', "can't find it, won't try", "can't find it, won't try"],
    ['quote never closed', 'a " b 7', 'a " b <*>'],
    ['escaped quote in quotes', 'said "a \\" b" twice', 'said <*> twice'],
    ['key=value', 'login user=root uid=0 ok', 'login user=<*> uid=<*> ok'],
    ['key=value in brackets', 'auth failed (method=basic; realm=x)', 'auth failed (method=<*>; realm=<*>)'],
    ['key without a value', 'ruser= rhost=h', 'ruser= rhost=<*>'],
    ['comparison', 'a == b', 'a == b'],
    ['object', '{"user":"bob","n":5}', '{"user":<*>,"n":<*>}'],
    ['quoted name before a colon', 'cannot open "a.txt": denied', 'cannot open <*>: denied'],
    ['list', 'ids 1, 2, 3 removed', 'ids <*> removed'],
    ['white space', '  a \t b  ', 'a b'],
    ['other scripts', 'Größe 5 überschritten', 'Größe <*> überschritten'],
    ['name of a user', 'Failed login for user bob from 10.0.0.1', 'Failed login for user <*> from <*>'],
    ['name of a user, first in a sentence', 'Invalid user bob from 10.0.0.1', 'Invalid user <*> from <*>'],
    ['word after user', 'closed by user request', 'closed by user request'],
    ['nested class', 'at Shop$Cart.add', 'at Shop$Cart.add'],
    ['nothing', '', ''],
  ])('%s', (_name, message, template) => {
    expect(patternOf(message)).toBe(template)
  })

  test('lists of different lengths have one template', () => {
    expect(patternOf('lost blocks 7')).toBe(patternOf('lost blocks 7, 8, 9'))
  })

  test('no more of a message is read than the limit, and no word is cut in two', () => {
    const words = 'word '.repeat(20)
    const long = `${words}${'9'.repeat(PATTERN_CHARS_MAX - words.length - 4)} tail of it`
    expect(patternOf(long)).toBe(`${words}<*>`)
  })

  test('a long template is cut at its own limit, however long the values were', () => {
    const of = (value: string) => `${value} ${'lorem ipsum '.repeat(100)}`
    expect(patternOf(of('1')).length).toBeGreaterThan(TEMPLATE_CHARS_MAX - 2)
    expect(patternOf(of('1'))).toBe(patternOf(of('1'.repeat(300))))
  })
})

describe('the id of a pattern', () => {
  test('it is 12 lower-case base32hex characters, the same in every process and version', () => {
    expect(patternId('')).toMatch(/^[0-9a-v]{12}$/)
    expect(patternId('served 42 requests')).toBe('188vmco7aic7')
  })

  test('equal templates have equal ids and different ones different ids', () => {
    const source = generateLines({ seed: 7 })
    const idOf = new Map<string, string>()
    for (let i = 0; i < 5_000; i++) {
      const line = source.next().value
      const template = patternOf(line)
      expect(idOf.get(template) ?? patternId(line)).toBe(patternId(line))
      idOf.set(template, patternId(line))
    }
    expect(new Set(idOf.values()).size).toBe(idOf.size)
  })

  test('other digits in the numbers make no other id', () => {
    const part = fc.oneof(
      fc.nat().map(String),
      fc.string({ maxLength: 8 }),
      fc.constantFrom(' ', ': ', '=', '/', '"', '-', 'Jan ', 'for '),
    )
    const message = fc.array(part, { maxLength: 30 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(message, fc.infiniteStream(fc.integer({ min: 0, max: 9 })), (text, digits) => {
        const other = text.replace(/\d/g, () => String(digits.next().value))
        expect(patternId(other)).toBe(patternId(text))
      }),
    )
  })

  test('any text has a template within the limit, and its id depends on nothing else', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (text) => {
        expect(patternOf(text).length).toBeLessThanOrEqual(TEMPLATE_CHARS_MAX)
        expect(patternOf(text)).toBe(patternOf(text))
        expect(patternId(text)).toBe(patternId(text))
      }),
    )
  })
})
