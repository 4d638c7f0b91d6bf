import { expect, test } from 'vitest'
import { createLogger } from '../../../adapters/logger.ts'
import type { Config } from '../../../core/config.ts'

function record(level: Config['log']['level'] = 'info') {
  const lines: string[] = []
  const log = createLogger({ level, destination: { write: (line) => void lines.push(line) } })
  return { log, lines, last: () => JSON.parse(lines.at(-1) ?? '') as Record<string, unknown> }
}

test('a line is JSON with time, level, message and the fields', () => {
  const { log, lines, last } = record()
  log.child({ part: 'spool' }).warn({ bytes: 3 }, 'spool is full')
  expect(lines[0]).toMatch(/^\{.*\}\n$/)
  expect(last()).toMatchObject({
    level: 'warn',
    message: 'spool is full',
    service: 'noctule',
    part: 'spool',
    bytes: 3,
  })
  expect(last()['time']).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
})

test('lines below the level are not written', () => {
  const { log, lines } = record('warn')
  log.info({}, 'no')
  log.debug({}, 'no')
  log.error({}, 'yes')
  expect(lines).toHaveLength(1)
})

test('an error is written whole: type, message, stack and causes', () => {
  const { log, last } = record()
  log.error({ error: new TypeError('outer', { cause: new Error('inner') }) }, 'failed')
  expect(last()['error']).toMatchObject({
    type: 'TypeError',
    message: expect.stringContaining('outer') as string,
  })
  expect(JSON.stringify(last()['error'])).toContain('inner')
  expect(JSON.stringify(last()['error'])).toContain('logger.test.ts')
})

test('credentials are never written, should somebody pass them', () => {
  const { log, lines } = record()
  const headers = { authorization: 'Bearer s3cret', cookie: 'noctule_session=s3cret', host: 'x' }
  log.info({ token: 's3cret', password: 's3cret', headers, request: { headers }, ...headers }, 'request')
  expect(lines[0]).not.toContain('s3cret')
  expect(lines[0]).toContain('[secret]')
})
