import { expect, test } from 'vitest'
import { toServiceError } from '../../../../adapters/transport-kafka/failures.ts'
import { ServiceError } from '../../../../core/errors.ts'

const connection = {
  brokers: ['a:1', 'b:2'],
  prefix: 'noctule',
  clientId: 'c',
  sasl: { mechanism: 'plain', username: 'eve', password: 'wrong-secret' },
  tls: null,
} as const

/** As the library throws it: what happened inside of what was tried. */
function libraryError(fields: object, message = 'oops') {
  const inner = Object.assign(new Error(message), fields)
  return Object.assign(new Error('tried often enough', { cause: inner }), {
    name: 'KafkaJSNumberOfRetriesExceeded',
  })
}

test.each([
  {
    name: 'a refused login',
    fields: { name: 'KafkaJSSASLAuthenticationError' },
    code: 'UNAUTHENTICATED',
    says: 'plain as eve',
  },
  {
    name: 'a right that we lack',
    fields: { type: 'TOPIC_AUTHORIZATION_FAILED' },
    code: 'DENIED',
    says: 'oops',
  },
  {
    name: 'a stranger’s certificate',
    fields: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
    code: 'UNREACHABLE',
    says: 'see tls.ca: oops',
  },
  {
    name: 'a missing certificate of ours',
    fields: { code: 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED' },
    code: 'UNREACHABLE',
    says: 'it asks for a client certificate',
  },
  {
    name: 'too few replicas',
    fields: { type: 'NOT_ENOUGH_REPLICAS' },
    code: 'STORE_UNAVAILABLE',
    says: 'NOT_ENOUGH_REPLICAS: oops',
  },
  {
    name: 'a message that is too large',
    fields: { type: 'MESSAGE_TOO_LARGE' },
    code: 'BATCH_TOO_LARGE',
    says: 'max.message.bytes',
  },
  { name: 'a closed port', fields: { code: 'ECONNREFUSED' }, code: 'UNREACHABLE', says: 'no answer: oops' },
])('$name is $code', ({ fields, code, says }) => {
  const error = toServiceError(libraryError(fields), connection)
  expect(error).toMatchObject({ code, message: expect.stringContaining(says) })
  expect(error.message).toContain('Kafka at a:1,b:2: ')
  expect(Number(error.details['retryAfterMs'])).toBeGreaterThan(0)
  expect(error.message + JSON.stringify(error.details)).not.toContain('wrong-secret')
})

test('the errors of several topics are looked into', () => {
  const several = Object.assign(new Error('several'), {
    errors: [libraryError({ type: 'TOPIC_AUTHORIZATION_FAILED' })],
  })
  expect(toServiceError(several, connection).code).toBe('DENIED')
})

test('a failure of ours stays what it is, and anything thrown becomes one', () => {
  const ours = new ServiceError('DISK_FULL', 'full')
  expect(toServiceError(ours, connection)).toBe(ours)
  expect(toServiceError('text', connection)).toMatchObject({ code: 'UNREACHABLE' })
})
