import { expect, test } from 'vitest'
import { filePosition, rotatedFrom } from '../../../collectors/file-identity.ts'

test.each([
  { path: '/l/app.log.1', original: '/l/app.log' },
  { path: '/l/app.log-20261121', original: '/l/app.log' },
  { path: '/l/app.log.2026-11-21', original: '/l/app.log' },
  { path: '/l/app-20261121.log', original: '/l/app.log' },
  { path: '/l/app.1.log', original: '/l/app.log' },
])('$path may be a rotated copy of $original', ({ path, original }) => {
  expect(rotatedFrom(path)).toContain(original)
})

test.each(['/l/app.log', '/l/app', '/l/.1', '/l/app-worker.log'])('%s is no rotated copy', (path) => {
  expect(rotatedFrom(path)).toEqual([])
})

test('a position of another kind of source is none of a file', () => {
  expect(filePosition({ cursor: 'x' })).toBe(null)
})
