import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = resolve(import.meta.dirname, '..')
const FUNCTION_LINES_MAX = 60
const MAIN_LINES_MAX = 120

/** Folder → folders it may import besides itself. `main.ts` and tests see everything. */
const FOLDERS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  collectors: ['core'],
  aggregator: ['core'],
  adapters: ['core'],
  'query-api': ['core'],
  cli: ['core'],
  dashboards: [],
}

/** Package → the files or folders that may import it. An outside system's client has one owner file, DuckDB's one more that writes rows. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  zod: ['core/', 'query-api/', 'cli/', 'collectors/spool/'],
  yaml: ['core/config.ts', 'cli/config.ts'],
  re2js: ['core/query/'],
  '@duckdb/node-api': ['adapters/store-embedded/duckdb.ts', 'adapters/store-embedded/table-writer.ts'],
  '@duckdb/node-bindings': ['adapters/store-embedded/duckdb.ts', 'adapters/store-embedded/table-writer.ts'],
  kafkajs: ['adapters/transport-kafka.ts'],
  '@elastic/elasticsearch': ['adapters/store-elastic.ts'],
  pino: ['adapters/logger.ts'],
  'prom-client': ['adapters/metrics-prometheus.ts'],
  fastify: ['query-api/'],
  '@fastify/cookie': ['query-api/'],
  '@fastify/static': ['query-api/'],
  commander: ['cli/', 'main.ts'],
  react: ['dashboards/'],
  'react-dom': ['dashboards/'],
  '@tanstack/react-virtual': ['dashboards/'],
  '@tanstack/react-query': ['dashboards/'],
  uplot: ['dashboards/src/charts/'],
  '@codemirror/autocomplete': ['dashboards/src/editor/'],
  '@codemirror/commands': ['dashboards/src/editor/'],
  '@codemirror/language': ['dashboards/src/editor/'],
  '@codemirror/lint': ['dashboards/src/editor/'],
  '@codemirror/state': ['dashboards/src/editor/'],
  '@codemirror/view': ['dashboards/src/editor/'],
  '@lezer/highlight': ['dashboards/src/editor/'],
  '@datadog/sketches-js': ['core/sketch/distribution.ts'],
  koffi: ['collectors/statsd/'],
  'hot-shots': ['adapters/metrics-statsd.ts'],
  vite: ['dashboards/vite.config.ts'],
  '@vitejs/plugin-react': ['dashboards/vite.config.ts'],
}

interface Source {
  readonly path: string
  readonly text: string
}

function sourcesBelow(folder: string): Source[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .filter((path) => !path.includes('node_modules') && !path.startsWith('dashboards/dist'))
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }))
}

const product = [
  ...Object.keys(FOLDERS).flatMap(sourcesBelow),
  { path: 'main.ts', text: readFileSync(join(ROOT, 'main.ts'), 'utf8') },
]

/** Every module specifier of static imports, re-exports and dynamic imports. */
function importsOf({ text }: Source): string[] {
  return [...text.matchAll(/(?:\bfrom\s+|\bimport\s+|\bimport\()\s*['"]([^'"\n]+)['"]/g)].map(
    (match) => match[1] ?? '',
  )
}

const folderOf = (path: string) => path.split('/')[0] ?? ''

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

test('the import table finds the sources of every folder', () => {
  for (const folder of Object.keys(FOLDERS)) {
    expect(
      product.some(({ path }) => folderOf(path) === folder),
      folder,
    ).toBe(true)
  }
})

test('every folder imports only the folders that the table allows', () => {
  const broken = product.flatMap((source) => {
    const own = folderOf(source.path)
    const allowed = FOLDERS[own]
    if (allowed === undefined) return []
    return importsOf(source)
      .filter((specifier) => specifier.startsWith('.'))
      .map((specifier) => folderOf(relative(ROOT, join(ROOT, dirname(source.path), specifier))))
      .filter((target) => target !== own && !allowed.includes(target))
      .map((target) => `${source.path} imports ${target}/`)
  })
  expect(broken).toEqual([])
})

test('every package is imported by its owner only', () => {
  const broken = product.flatMap((source) =>
    importsOf(source)
      .filter((specifier) => !specifier.startsWith('.') && !specifier.startsWith('node:'))
      .filter((specifier) => {
        const owners = PACKAGES[packageOf(specifier)] ?? []
        return !owners.some(
          (owner) => source.path === owner || (owner.endsWith('/') && source.path.startsWith(owner)),
        )
      })
      .map((specifier) => `${source.path} imports ${specifier}`),
  )
  expect(broken).toEqual([])
})

/** Start and length of every function whose body is a block on several lines. Prettier's indentation makes this exact. */
function functionsOf({ text }: Source): { line: number; lines: number; head: string }[] {
  const lines = text.split('\n')
  const heads =
    /(\bfunction\b.*\{|=>\s*\{|^\s+(?:async\s+|get\s+|\*\s*)*[\w$]+(?:<.*>)?\(.*\).*\{|^\s*\)(?::.*)?\s*(?:=>\s*)?\{)$/
  const notFunctions = /^\s*(?:\}?\s*(?:if|for|while|switch|catch|else|do|try)\b|describe\()/
  return lines.flatMap((head, start) => {
    if (!heads.test(head) || notFunctions.test(head)) return []
    const indent = /^\s*/.exec(head)?.[0] ?? ''
    const length = lines.slice(start + 1).findIndex((line) => line.startsWith(`${indent}}`))
    return length < 0 ? [] : [{ line: start + 1, lines: length + 2, head: head.trim() }]
  })
}

/** A factory's own body may be longer than a screen when it only holds short functions over shared state. */
function ownLines(source: Source, start: number, lines: number): number {
  const inner = functionsOf(source).filter(({ line }) => line > start && line < start + lines)
  const outermost = inner.filter(
    (fn) => !inner.some((other) => other.line < fn.line && other.line + other.lines > fn.line),
  )
  return lines - outermost.reduce((sum, fn) => sum + fn.lines, 0)
}

test('the function finder sees functions, methods and arrows', () => {
  const text =
    'export function a(x: number) {\n  return x\n}\nconst b = async () => {\n  if (x) {\n  }\n}\nreturn {\n  async c(d) {\n  },\n}\n'
  expect(functionsOf({ path: 'x.ts', text }).map(({ line, lines }) => [line, lines])).toEqual([
    [1, 3],
    [4, 4],
    [9, 2],
  ])
})

test(`no function has more than ${FUNCTION_LINES_MAX} lines of its own`, () => {
  const long = product.flatMap((source) =>
    functionsOf(source)
      .filter(
        ({ line, lines }) => lines > FUNCTION_LINES_MAX && ownLines(source, line, lines) > FUNCTION_LINES_MAX,
      )
      .map(({ line, lines, head }) => `${source.path}:${line} has ${lines} lines: ${head}`),
  )
  expect(long).toEqual([])
})

test(`main.ts has at most ${MAIN_LINES_MAX} lines`, () => {
  expect(product.at(-1)?.text.trimEnd().split('\n').length).toBeLessThanOrEqual(MAIN_LINES_MAX)
})

test('dependencies have exact versions', () => {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<
    string,
    Record<string, string>
  >
  const versions = Object.entries({ ...manifest['dependencies'], ...manifest['devDependencies'] })
  expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual([])
})
