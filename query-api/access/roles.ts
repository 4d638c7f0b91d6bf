import type { Role } from '../../core/config.ts'

/** What a route asks of its caller. Every route says one; `public` ones are listed in the tests. */
export type RouteRole = Role | 'public'

/** Each includes the ones before it. `collector` stands beside them: it delivers, and reads nothing. */
const READERS: readonly Role[] = ['dashboard', 'search', 'admin']

/** Whether a holder of `role` may use a route that asks for `needed`. */
export function permits(role: Role, needed: Role): boolean {
  if (role === needed || role === 'admin') return true
  return READERS.includes(needed) && READERS.indexOf(role) >= READERS.indexOf(needed)
}
