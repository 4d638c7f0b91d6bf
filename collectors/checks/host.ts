import type { HostFacts } from '../../core/health.ts'
import type { Facts } from '../facts/facts.ts'
import { stateAbove, type CheckOf, type Outcome, type Probe } from './probe.ts'

const round = (value: number) => Math.round(value * 10) / 10

/** A check of what the host says of itself. */
export function hostProbe(config: CheckOf<'cpu' | 'memory' | 'load'>, { facts }: { facts: Facts }): Probe {
  return async () => judge(config, await facts.read())
}

function judge(config: CheckOf<'cpu' | 'memory' | 'load'>, { cpu, memory, load }: HostFacts): Outcome {
  switch (config.kind) {
    case 'cpu': {
      const value = cpu.busy * 100
      return outcome(config, value, `${round(value)} % busy of ${cpu.cores} cores`)
    }
    case 'memory': {
      const { totalBytes, availableBytes } = memory
      const value = totalBytes > 0 ? 100 * (1 - availableBytes / totalBytes) : 0
      return outcome(
        config,
        value,
        `${round(value)} % used, ${Math.floor(availableBytes / 2 ** 20)} MiB available`,
      )
    }
    case 'load': {
      const value = load[0] / cpu.cores
      return outcome(config, value, `load ${load[0]} of one minute on ${cpu.cores} cores`)
    }
  }
}

function outcome(config: { warn: number; fail: number }, value: number, message: string): Outcome {
  return { state: stateAbove(value, config), message, value: round(value) }
}
