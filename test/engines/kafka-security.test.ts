import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import type { KafkaConnection } from '../../adapters/transport-kafka.ts'
import { KAFKA_USER, startKafka, type KafkaBroker } from '../support/engines/kafka.ts'
import { describeWithKafka } from '../support/engines/under-test.ts'
import { createLineLog, never } from '../support/kafka-memory.ts'
import { connectionTo, createCountingIntake, intakeFrom, senderTo } from '../support/kafka.ts'

type Sasl = NonNullable<KafkaConnection['sasl']>
const as = (mechanism: Sasl['mechanism'], password = KAFKA_USER.password): Sasl => ({
  mechanism,
  username: KAFKA_USER.name,
  password,
})

/** A self-signed certificate and its key, as PEM. */
function makeCertificate(name: string): { cert: string; key: string } {
  const dir = mkdtempSync(join(tmpdir(), 'noctule-cert-'))
  const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')]
  const files = ['-keyout', key, '-out', cert]
  const kind = ['-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', `/CN=${name}`]
  execFileSync('openssl', ['req', ...kind, ...files], { stdio: 'ignore' })
  const made = { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') }
  rmSync(dir, { recursive: true })
  return made
}

describeWithKafka('Kafka with security', () => {
  const client = makeCertificate('collector')
  const other = makeCertificate('127.0.0.1')
  let broker: KafkaBroker
  let secure: NonNullable<KafkaBroker['secure']>
  beforeAll(async () => {
    broker = await startKafka({ secure: true, clientCertificate: client.cert })
    if (broker.secure === null) throw new Error('the broker has no secure listeners')
    secure = broker.secure
  })
  afterAll(() => broker[Symbol.asyncDispose]())

  const ways = {
    'SASL PLAIN': () => connectionTo(secure.sasl, { sasl: as('plain') }),
    'SASL SCRAM-SHA-512': () => connectionTo(secure.sasl, { sasl: as('scram-sha-512') }),
    'SASL over TLS with our CA': () =>
      connectionTo(secure.saslTls, {
        sasl: as('scram-sha-512'),
        tls: { ca: secure.ca, cert: null, key: null },
      }),
    'a client certificate': () => connectionTo(secure.mutualTls, { tls: { ca: secure.ca, ...client } }),
  }

  test.each(Object.entries(ways))('a frame goes through with %s', async (_, connect) => {
    const connection = connect()
    const intake = createCountingIntake()
    const reading = intakeFrom(connection, { intake })
    onTestFinished(() => reading.stop(AbortSignal.abort()))
    const sender = senderTo(connection)
    onTestFinished(() => sender.close())
    await reading.start()
    await sender.send(Buffer.from('x'), never())
    await intake.arrived(1)
  })

  const refused = {
    'a wrong password': {
      connect: () => connectionTo(secure.sasl, { sasl: as('plain', 'wrong-secret') }),
      code: 'UNAUTHENTICATED',
      says: 'the credentials are refused (SASL plain as collector)',
    },
    'a wrong SCRAM password': {
      connect: () => connectionTo(secure.sasl, { sasl: as('scram-sha-512', 'wrong-secret') }),
      code: 'UNAUTHENTICATED',
      says: 'the credentials are refused (SASL scram-sha-512 as collector)',
    },
    'an unknown mechanism': {
      connect: () => connectionTo(secure.sasl, { sasl: as('scram-sha-256') }),
      code: 'UNAUTHENTICATED',
      says: 'the credentials are refused (SASL scram-sha-256 as collector)',
    },
    'a wrong CA': {
      connect: () =>
        connectionTo(secure.saslTls, { sasl: as('plain'), tls: { ca: other.cert, cert: null, key: null } }),
      code: 'UNREACHABLE',
      says: 'its certificate is not trusted, see tls.ca: ',
    },
    'no client certificate': {
      connect: () => connectionTo(secure.mutualTls, { tls: { ca: secure.ca, cert: null, key: null } }),
      code: 'UNREACHABLE',
      says: 'it asks for a client certificate, see tls.cert and tls.key',
    },
    'a client certificate that the broker does not trust': {
      connect: () => connectionTo(secure.mutualTls, { tls: { ca: secure.ca, ...other } }),
      code: 'UNREACHABLE',
      says: 'it does not accept our certificate',
    },
  }

  test.each(Object.entries(refused))('%s is told in one clear line', async (_, { connect, code, says }) => {
    const connection = connect()
    const sender = senderTo(connection)
    onTestFinished(() => sender.close())
    const error: unknown = await sender.send(Buffer.from('x'), never()).catch((error: unknown) => error)
    expect(error).toMatchObject({ code, message: expect.stringContaining(says) })
    const log = createLineLog()
    const reading = intakeFrom(connection, { intake: createCountingIntake(), log })
    onTestFinished(() => reading.stop(AbortSignal.abort()))
    await reading.start()
    await expect.poll(() => log.lines.length, { timeout: 20_000 }).toBe(1)
    expect(log.lines[0]).toContain(says)
    expect(reading.status()).toMatchObject([{ ok: false, detail: expect.stringContaining(says) }])
    expect(JSON.stringify([log.lines, String(error)])).not.toContain('wrong-secret')
  })
})
