import { writeFileSync } from 'node:fs'
import { cliReference } from '../cli/reference.ts'

writeFileSync(new URL('reference/cli.md', import.meta.url), cliReference())
