/** Wait before attempt `attempt` (from 0): doubles from baseMs up to maxMs, of which between half and all is taken. */
export function backoffMs(
  attempt: number,
  { baseMs, maxMs }: { readonly baseMs: number; readonly maxMs: number },
  random: () => number,
): number {
  const fullMs = Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30))
  return fullMs * (0.5 + random() / 2)
}
