import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { KNOWN_KEYS } from '../../../../aggregator/enrich/fields.ts'

test.each(Object.entries(KNOWN_KEYS))(
  'the reference page lists the known keys of %s in their order',
  (role, keys) => {
    const page = readFileSync(join(import.meta.dirname, '../../../../docs/reference/records.md'), 'utf8')
    const field = role === 'latency' ? 'latency_ms' : role
    const rows = page.split('\n').map((row) => row.replaceAll(/\s+/g, ' ').trim())
    expect(rows).toContain(`| \`${field}\` | ${keys.map((key) => `\`${key}\``).join(' ')} |`)
  },
)
