import type { Clock } from '../../core/ports.ts'
import { ElasticFailure, isMissing } from './failures.ts'

/** An index may be purged while it is searched; the whole question is then asked again. */
const AGAIN_MAX = 3
/** An index that has just been made answers nothing for some ms, and fails every question that might concern it. */
const STARTING_TRIES_MAX = 20
const STARTING_PAUSE_MS = 100

/** Asks a whole question, again when an index went or came while it was asked. Throws what `ask` throws, or the reason of the signal. */
export async function askedAgain<T>(
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  ask: () => Promise<T>,
): Promise<T> {
  for (let again = 0, starting = 0; ;) {
    try {
      return await ask()
    } catch (error) {
      if (isUnassigned(error) && ++starting <= STARTING_TRIES_MAX)
        await clock.sleep(STARTING_PAUSE_MS, signal)
      else if (!(error instanceof ElasticFailure && isMissing(error) && ++again <= AGAIN_MAX)) throw error
    }
  }
}

/** A shard is not there, or not yet. */
function isUnassigned(error: unknown): boolean {
  const types = ['search_phase_execution_exception', 'no_shard_available_action_exception']
  return error instanceof ElasticFailure && error.status === 503 && types.includes(error.type)
}
