import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseEvent, parseServiceCheck } from '../../../../collectors/statsd/parse-events.ts'

const event = (text: string) => parseEvent(Buffer.from(text))
const check = (text: string) => parseServiceCheck(Buffer.from(text))

describe('events', () => {
  test('all fields', () => {
    const given =
      '_e{7,10}:Größe|zwei\\nZeil|d:1700000000|h:web-9|k:deploys|p:low|s:ci|t:error|#env:prod,canary|c:in-1'
    expect(event(given)).toEqual({
      title: 'Größe',
      text: 'zwei\nZeil',
      alertType: 'error',
      priority: 'low',
      atMs: 1_700_000_000_000,
      hostname: 'web-9',
      aggregationKey: 'deploys',
      sourceType: 'ci',
      tags: { env: 'prod', canary: '' },
    })
  })

  test('no fields', () => {
    expect(event('_e{1,0}:a|')).toMatchObject({
      title: 'a',
      text: '',
      alertType: 'info',
      priority: 'normal',
      atMs: null,
      hostname: null,
      tags: {},
    })
  })

  test('lengths may count characters', () => {
    expect(event('_e{5,4}:Größe|Füße|t:success')).toMatchObject({
      title: 'Größe',
      text: 'Füße',
      alertType: 'success',
    })
  })

  test('a pipe belongs to the text that its length says', () => {
    expect(event('_e{3,5}:a|b|c|d|e|t:warning')).toMatchObject({
      title: 'a|b',
      text: 'c|d|e',
      alertType: 'warning',
    })
  })

  test('control characters do not get through, newlines of the text do', () => {
    expect(event('_e{2,5}:a\u001b|b\\n\u0007c|h:\u001bx|#k\u0000:v')).toMatchObject({
      title: 'a_',
      text: 'b\n_c',
      hostname: '_x',
      tags: { k_: 'v' },
    })
  })

  test.each([
    '_e{1,1}',
    '_e{a,1}:a|b',
    '_e{1,1}:a',
    '_e{1,1}:ab|c',
    '_e{1,1}:a|bc',
    '_e{99999,1}:a|b',
    '_e{1,1}:ab',
  ])('%s is refused', (text) => {
    expect(event(text)).toEqual(expect.any(String))
  })
})

describe('service checks', () => {
  test('all fields', () => {
    expect(check('_sc|db.up|2|d:1700000000|h:db-1|#env:prod|m:no m\\: answer\\nat all|c:in-1')).toEqual({
      name: 'db.up',
      status: 2,
      message: 'no m: answer\nat all',
      atMs: 1_700_000_000_000,
      hostname: 'db-1',
      tags: { env: 'prod' },
    })
  })

  test.each([0, 1, 2, 3])('status %d', (status) => {
    expect(check(`_sc|a|${status}`)).toMatchObject({ status, message: '', atMs: null, hostname: null })
  })

  test.each(['_sc|', '_sc|a', '_sc|a|', '_sc|a|4', '_sc|a|00', '_sc||1', '_sc|a|x'])(
    '%s is refused',
    (text) => {
      expect(check(text)).toEqual(expect.any(String))
    },
  )
})

test('any bytes are an event, a check or refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      expect(parseEvent(Buffer.concat([Buffer.from('_e{3,4}:'), bytes]))).toBeDefined()
      expect(parseServiceCheck(Buffer.concat([Buffer.from('_sc|'), bytes]))).toBeDefined()
    }),
  )
})
