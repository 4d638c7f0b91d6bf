import { lookup as resolveName, type LookupAddress } from 'node:dns'
import type { LookupFunction } from 'node:net'

type Answer = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void
type Resolve = (
  hostname: string,
  options: { family: number; hints: number; all: true },
  answer: Answer,
) => void

/**
 * The system's name lookup, asked only once at a time for each name. It cannot be called back and holds a thread of the program until it
 * ends, so checks of a name that nobody answers for must not pile up behind each other.
 */
export function createLookup(resolve: Resolve = resolveName): LookupFunction {
  const waiting = new Map<string, Answer[]>()

  function ask(hostname: string, { family, hints }: { family: number; hints: number }, answer: Answer): void {
    const key = `${family} ${hints} ${hostname}`
    const others = waiting.get(key)
    if (others !== undefined) {
      others.push(answer)
      return
    }
    const all = [answer]
    waiting.set(key, all)
    resolve(hostname, { family, hints, all: true }, (error, addresses) => {
      waiting.delete(key)
      for (const one of all) one(error, addresses)
    })
  }

  return (hostname, options, callback) => {
    const family =
      typeof options.family === 'number' ? options.family : Number(options.family?.slice(-1) ?? 0)
    ask(hostname, { family, hints: options.hints ?? 0 }, (error, addresses) => {
      const [first] = addresses ?? [] // There are none with an error.
      if (error !== null || options.all === true) callback(error, addresses)
      else callback(null, first?.address ?? '', first?.family ?? 0)
    })
  }
}
