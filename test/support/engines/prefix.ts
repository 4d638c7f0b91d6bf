import { randomBytes } from 'node:crypto'

/** A name for topics and indices that no other test has. */
export function randomPrefix(): string {
  return `noctule-test-${randomBytes(6).toString('hex')}`
}
