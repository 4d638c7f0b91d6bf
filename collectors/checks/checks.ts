import type { CheckConfig } from '../../core/config-checks.ts'
import type { Clock, Logger } from '../../core/ports.ts'
import type { Facts } from '../facts/facts.ts'
import { certificateProbe } from './certificate.ts'
import { createChildren } from './child.ts'
import { commandProbe } from './command.ts'
import { createDiskGate, diskProbe } from './disk.ts'
import { hostProbe } from './host.ts'
import { httpProbe } from './http.ts'
import { createLookup } from './lookup.ts'
import type { Probe } from './probe.ts'
import { processProbe } from './process.ts'
import { createProcesses } from './processes.ts'
import { createChecks, type Checks } from './runner.ts'
import { createStateLines } from './state-lines.ts'
import { systemdProbe } from './systemd.ts'
import { tcpProbe } from './tcp.ts'

export interface OpenChecksOptions {
  readonly config: {
    readonly checks: readonly CheckConfig[]
    readonly host: string
    readonly tier?: string | undefined
  }
  readonly facts: Facts
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
  /** Takes a log line about a check that is in another state now. */
  readonly giveLine: (line: string) => void
}

/** The checks that are meant for hosts of this tier. */
export function openChecks({ config, giveLine, ...options }: OpenChecksOptions): Checks {
  const { host, tier = '' } = config
  const probeOf = createProbes(options)
  const lines = createStateLines({ ...options, host, tier, give: giveLine })
  const checks = createChecks({
    ...options,
    checks: config.checks
      .filter(({ tiers }) => tiers === undefined || tiers.includes(tier))
      .map((check) => ({ config: check, probe: probeOf(check) })),
    onChange: (change) => lines.changed(change),
  })
  return {
    ...checks,
    async stop() {
      await checks.stop()
      lines.close()
    },
  }
}

/** Checks share what must not be done by each of them at once. */
function createProbes({ facts, clock }: Pick<OpenChecksOptions, 'facts' | 'clock'>) {
  const lookup = createLookup()
  const processes = createProcesses({ clock })
  const children = createChildren()
  const gate = createDiskGate()
  return (check: CheckConfig): Probe => {
    switch (check.kind) {
      case 'http':
        return httpProbe(check, { clock, lookup })
      case 'tcp':
        return tcpProbe(check, { clock, lookup })
      case 'certificate':
        return certificateProbe(check, { clock, lookup })
      case 'process':
        return processProbe(check, { processes })
      case 'systemd':
        return systemdProbe(check, { children })
      case 'command':
        return commandProbe(check, { children })
      case 'disk':
        return diskProbe(check, { gate })
      case 'cpu':
      case 'memory':
      case 'load':
        return hostProbe(check, { facts })
    }
  }
}
