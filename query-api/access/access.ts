import { createHash, timingSafeEqual } from 'node:crypto'
import type { Config, Role } from '../../core/config.ts'
import type { Clock } from '../../core/ports.ts'

/** Who a request is from. */
export interface Principal {
  readonly name: string
  readonly role: Role
  /** Site stamped on what it delivers; absent: this node's. */
  readonly site?: string | undefined
}

/** Says who a credential belongs to. Secrets are kept as hashes only, and compared in constant time. */
export interface Access {
  verifyToken(token: string): Principal | undefined
  /** The holder of a session cookie, until it expires or signs out. */
  verifySession(cookie: string): Principal | undefined
  /** A code that signs in one browser as the administrator, once, within ten minutes. */
  newSignInCode(): string
  /** Trades a one-time code, or the token of a person, for a session cookie. */
  signIn(secret: string): { readonly cookie: string; readonly principal: Principal } | undefined
  signOut(cookie: string): void
}

/** A working day with overtime; a restart of the node ends it earlier. */
export const SESSION_MS = 12 * 3_600_000
export const SIGN_IN_CODE_MS = 10 * 60_000
const SECRET_BYTES = 32
const SESSIONS_MAX = 1_000
const CODES_MAX = 100
const ADMIN: Principal = { name: 'admin', role: 'admin' }

const hash = (secret: string) => createHash('sha256').update(secret).digest()

export function createAccess({
  tokens,
  adminToken,
  clock,
  randomBytes,
}: {
  tokens: Config['access']['tokens']
  adminToken: string
  clock: Pick<Clock, 'monotonicMs'>
  randomBytes: (size: number) => Buffer
}): Access {
  const known = [
    { digest: hash(adminToken), principal: ADMIN },
    ...tokens.map(({ name, role, site, sha256 }) => ({
      digest: Buffer.from(sha256, 'hex'),
      principal: { name, role, site },
    })),
  ]
  const sessions = createSecrets(clock, { lifeMs: SESSION_MS, countMax: SESSIONS_MAX })
  const codes = createSecrets(clock, { lifeMs: SIGN_IN_CODE_MS, countMax: CODES_MAX })

  function issue(secrets: Secrets, principal: Principal) {
    const secret = randomBytes(SECRET_BYTES).toString('base64url')
    secrets.add(secret, principal)
    return secret
  }

  function verifyToken(token: string) {
    const digest = hash(token)
    return known.find((entry) => timingSafeEqual(entry.digest, digest))?.principal
  }

  return {
    verifyToken,
    verifySession: (cookie) => sessions.find(cookie),
    newSignInCode: () => issue(codes, ADMIN),
    signIn(secret) {
      const principal = codes.take(secret) ?? verifyToken(secret)
      if (principal === undefined || principal.role === 'collector') return undefined
      return { cookie: issue(sessions, principal), principal }
    },
    signOut: (cookie) => void sessions.take(cookie),
  }
}

interface Secrets {
  add(secret: string, principal: Principal): void
  find(secret: string): Principal | undefined
  /** Finds and removes. */
  take(secret: string): Principal | undefined
}

/** Secrets that expire; the oldest leave when there are too many. Found by hash, so that timing tells nothing of the secret. */
function createSecrets(
  clock: Pick<Clock, 'monotonicMs'>,
  { lifeMs, countMax }: { lifeMs: number; countMax: number },
): Secrets {
  const byHash = new Map<string, { principal: Principal; expiresAtMs: number }>()
  const key = (secret: string) => hash(secret).toString('base64')

  function find(secret: string) {
    const entry = byHash.get(key(secret))
    return entry !== undefined && clock.monotonicMs() < entry.expiresAtMs ? entry.principal : undefined
  }

  return {
    add(secret, principal) {
      byHash.set(key(secret), { principal, expiresAtMs: clock.monotonicMs() + lifeMs })
      const [oldest] = byHash.keys()
      if (byHash.size > countMax && oldest !== undefined) byHash.delete(oldest)
    },
    find,
    take(secret) {
      const principal = find(secret)
      byHash.delete(key(secret))
      return principal
    },
  }
}
