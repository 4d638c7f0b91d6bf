import { execFile } from 'node:child_process'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const JVM_DIR = '/usr/lib/jvm'
const MAVEN_DEADLINE_MS = 600_000
const MAVEN_OUTPUT_BYTES_MAX = 16 << 20

/** Why an engine cannot be started here; for a person. */
export class EngineMissing extends Error {}

/** Home of the newest JDK from `minimum` to `maximum`; throws EngineMissing. Both engines need one, not a mere runtime. */
export async function findJdk(minimum: number, maximum: number): Promise<string> {
  const named = [process.env['ES_JAVA_HOME'], process.env['JAVA_HOME']].filter((home) => home !== undefined)
  const installed = existsSync(JVM_DIR) ? readdirSync(JVM_DIR).map((name) => join(JVM_DIR, name)) : []
  let best: { home: string; version: number } | undefined
  for (const home of [...named, ...installed]) {
    if (!existsSync(join(home, 'bin', 'javac'))) continue
    const version = await versionOf(home)
    if (version >= minimum && version <= maximum && version > (best?.version ?? 0)) best = { home, version }
  }
  if (best !== undefined) return best.home
  throw new EngineMissing(`no JDK from ${minimum} to ${maximum} in JAVA_HOME, ES_JAVA_HOME or ${JVM_DIR}`)
}

async function versionOf(home: string): Promise<number> {
  const { stderr } = await run(join(home, 'bin', 'java'), ['-version']).catch(() => ({ stderr: '' }))
  return Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0)
}

/** Runs Maven with a local repository of its own in `dir`; throws EngineMissing without Maven, and what Maven said when it fails. */
export async function maven(dir: string, args: readonly string[]): Promise<void> {
  await run('mvn', ['-v']).catch(() => {
    throw new EngineMissing('Maven (mvn) is not installed')
  })
  const all = ['-B', '-q', `-Dmaven.repo.local=${join(dir, 'm2')}`, ...args]
  const options = { cwd: dir, timeout: MAVEN_DEADLINE_MS, maxBuffer: MAVEN_OUTPUT_BYTES_MAX }
  await run('mvn', all, options).catch((error: unknown) => {
    const said = error instanceof Error && 'stdout' in error ? String(error.stdout).slice(0, 2_000) : ''
    throw new Error(`mvn ${args.join(' ')} failed: ${said}`, { cause: error })
  })
}

/** A POM that has `artifacts` (`group:name:version`) as its dependencies. */
export function writePom(dir: string, artifacts: readonly string[]): void {
  const dependencies = artifacts.map((artifact) => {
    const [group, name, version] = artifact.split(':')
    return `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version></dependency>`
  })
  writeFileSync(
    join(dir, 'pom.xml'),
    `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>noctule</groupId><artifactId>engines</artifactId><version>1</version>
<dependencies>${dependencies.join('')}</dependencies></project>`,
  )
}
