import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cached } from './cache.ts'
import { type EngineProcess, freePort, startEngine } from './engine-process.ts'
import { findJdk, maven, writePom } from './java.ts'

const run = promisify(execFile)
const VERSION = '4.3.1'
const JDK_MIN = 17
const JDK_MAX = 25
const READY_WITHIN_MS = 120_000
/** Any 16 bytes, as Kafka writes them. */
const CLUSTER_ID = 'bm9jdHVsZS10ZXN0cy0wMQ'
export const KAFKA_USER = { name: 'collector', password: 'collector-secret' }
const STORE_PASSWORD = 'noctule-tests'

/** A real, single Kafka broker in a folder of its own. */
export interface KafkaBroker extends AsyncDisposable {
  /** `host:port`, without security. */
  readonly brokers: string
  /** With `secure`: SASL (SCRAM-SHA-512, PLAIN) without and with TLS, and TLS that asks for a client certificate. */
  readonly secure: {
    readonly sasl: string
    readonly saslTls: string
    readonly mutualTls: string
    readonly ca: string
  } | null
  signal(name: NodeJS.Signals): void
  kill(): Promise<void>
  stop(): Promise<void>
  /** Starts it again on what it kept, at the same address. */
  start(): Promise<void>
}

export interface KafkaOptions {
  /** Run on these cores only, as `taskset -c` takes them. */
  readonly cores?: string
  readonly secure?: boolean
  /** PEM: clients that show it, or one that it signed, may use the listener for client certificates. */
  readonly clientCertificate?: string
  /** Lines for server.properties that replace the usual ones. */
  readonly properties?: Readonly<Record<string, string>>
}

/** Starts a broker; throws EngineMissing when this machine cannot. */
export async function startKafka({
  secure = false,
  clientCertificate,
  properties = {},
  cores,
}: KafkaOptions = {}): Promise<KafkaBroker> {
  const java = join(await findJdk(JDK_MIN, JDK_MAX), 'bin', 'java')
  const classpath = join(await cached(`kafka-${VERSION}`, download), 'libs', '*')
  const dir = mkdtempSync(join(tmpdir(), 'noctule-kafka-'))
  const ports = {
    plain: await freePort(),
    controller: await freePort(),
    sasl: await freePort(),
    tls: await freePort(),
    mutual: await freePort(),
  }
  const keys = secure ? await makeKeys(dir, java, clientCertificate) : null
  const file = join(dir, 'server.properties')
  writeFileSync(file, lines({ ...base(dir, ports), ...(secure ? security(dir, ports) : {}), ...properties }))
  const scram = secure
    ? ['--add-scram', `SCRAM-SHA-512=[name=${KAFKA_USER.name},password=${KAFKA_USER.password}]`]
    : []
  await run(java, [
    '-cp',
    classpath,
    'kafka.tools.StorageTool',
    'format',
    '--ignore-formatted',
    '-t',
    CLUSTER_ID,
    '-c',
    file,
    ...scram,
  ])
  let broker: EngineProcess | undefined
  const command = [
    ...(cores === undefined ? [] : ['taskset', '-c', cores]),
    java,
    '-Xms256m',
    '-Xmx512m',
    '-cp',
    classpath,
    'kafka.Kafka',
    file,
  ]
  async function start() {
    broker = await startEngine({
      command: command[0] ?? '',
      args: command.slice(1),
      cwd: dir,
      readyWithinMs: READY_WITHIN_MS,
      isReady: (output) => output.includes('Kafka Server started'),
    })
  }
  async function end(signal: NodeJS.Signals) {
    await broker?.end(signal)
    broker = undefined
  }
  await start()
  const at = (port: number) => `127.0.0.1:${port}`
  return {
    brokers: at(ports.plain),
    secure:
      keys === null
        ? null
        : { sasl: at(ports.sasl), saslTls: at(ports.tls), mutualTls: at(ports.mutual), ca: keys.ca },
    signal: (name) => broker?.signal(name),
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    start,
    async [Symbol.asyncDispose]() {
      await end('SIGKILL')
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

async function download(dir: string): Promise<void> {
  writePom(dir, [
    `org.apache.kafka:kafka_2.13:${VERSION}`,
    `org.apache.kafka:kafka-tools:${VERSION}`,
    'org.slf4j:slf4j-simple:1.7.36',
  ])
  await maven(dir, ['dependency:copy-dependencies', '-DincludeScope=runtime', '-DoutputDirectory=libs'])
  rmSync(join(dir, 'm2'), { recursive: true, force: true })
}

type Ports = Readonly<Record<'plain' | 'controller' | 'sasl' | 'tls' | 'mutual', number>>

function base(dir: string, ports: Ports): Record<string, string> {
  return {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${ports.controller}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    listeners: `PLAINTEXT://127.0.0.1:${ports.plain},CONTROLLER://127.0.0.1:${ports.controller}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': join(dir, 'data'),
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.replication.factor': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'group.initial.rebalance.delay.ms': '0',
    'auto.create.topics.enable': 'false',
    'message.max.bytes': '8388608',
    'log.retention.check.interval.ms': '1000',
    // Back in 6 to 8 s after a kill -9 instead of 13: the controller waits for the old session.
    'broker.session.timeout.ms': '3000',
  }
}

function security(dir: string, ports: Ports): Record<string, string> {
  const listeners = [
    `PLAINTEXT://127.0.0.1:${ports.plain}`,
    `CONTROLLER://127.0.0.1:${ports.controller}`,
    `SASL://127.0.0.1:${ports.sasl}`,
    `SASLTLS://127.0.0.1:${ports.tls}`,
    `MTLS://127.0.0.1:${ports.mutual}`,
  ]
  const jaas = `required username="${KAFKA_USER.name}" password="${KAFKA_USER.password}" user_${KAFKA_USER.name}="${KAFKA_USER.password}";`
  const sasl = (listener: string) => ({
    [`listener.name.${listener}.sasl.enabled.mechanisms`]: 'SCRAM-SHA-512,PLAIN',
    [`listener.name.${listener}.plain.sasl.jaas.config`]: `org.apache.kafka.common.security.plain.PlainLoginModule ${jaas}`,
    [`listener.name.${listener}.scram-sha-512.sasl.jaas.config`]:
      'org.apache.kafka.common.security.scram.ScramLoginModule required;',
  })
  return {
    listeners: listeners.join(','),
    'listener.security.protocol.map':
      'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT,SASLTLS:SASL_SSL,MTLS:SSL',
    ...sasl('sasl'),
    ...sasl('sasltls'),
    'listener.name.mtls.ssl.client.auth': 'required',
    'ssl.keystore.location': join(dir, 'keys.p12'),
    'ssl.keystore.password': STORE_PASSWORD,
    'ssl.keystore.type': 'PKCS12',
    'ssl.truststore.location': join(dir, 'trust.p12'),
    'ssl.truststore.password': STORE_PASSWORD,
    'ssl.truststore.type': 'PKCS12',
  }
}

/** A self-signed certificate for 127.0.0.1, trusted by itself; `ca` is its PEM. A client's certificate is trusted, too. */
async function makeKeys(dir: string, java: string, client: string | undefined): Promise<{ ca: string }> {
  mkdirSync(dir, { recursive: true })
  const keytool = join(java, '..', 'keytool')
  const common = ['-storepass', STORE_PASSWORD, '-storetype', 'PKCS12', '-alias', 'noctule']
  const keys = ['-keystore', join(dir, 'keys.p12'), ...common]
  const names = ['-dname', 'CN=127.0.0.1', '-ext', 'san=ip:127.0.0.1,dns:localhost']
  await run(keytool, ['-genkeypair', '-keyalg', 'RSA', '-validity', '3650', ...names, ...keys])
  const { stdout: ca } = await run(keytool, ['-exportcert', '-rfc', ...keys])
  const trusted = { noctule: ca, ...(client === undefined ? {} : { client }) }
  for (const [alias, pem] of Object.entries(trusted)) {
    const file = join(dir, `${alias}.pem`)
    writeFileSync(file, pem)
    const store = ['-keystore', join(dir, 'trust.p12'), '-storepass', STORE_PASSWORD, '-storetype', 'PKCS12']
    await run(keytool, ['-importcert', '-noprompt', '-file', file, '-alias', alias, ...store])
  }
  return { ca }
}

function lines(properties: Readonly<Record<string, string>>): string {
  return Object.entries(properties)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('')
}
