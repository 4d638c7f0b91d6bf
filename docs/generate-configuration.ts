import { writeFileSync } from 'node:fs'
import { configReference } from '../core/config-reference.ts'

writeFileSync(new URL('reference/configuration.md', import.meta.url), configReference())
