import type { BatchDraft } from '../../collectors/spool/types.ts'

/** A batch of lines, each given without its newline. */
export function draftOf(
  lines: readonly string[],
  { fromMs = 1_000, toMs = 2_000, path = '/var/log/a' } = {},
): BatchDraft {
  const body = Buffer.from(lines.map((line) => `${line}\n`).join(''))
  return {
    header: {
      kind: 'lines',
      host: 'h1',
      createdAtMs: toMs,
      utcOffsetMin: 0,
      fromMs,
      toMs,
      records: lines.length,
      sources: [{ path }],
      runs: [{ source: 0, offset: 0, bytes: body.length, lines: lines.length, readAtMs: toMs }],
      drops: [],
    },
    body,
  }
}
