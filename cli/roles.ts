import type { Command } from 'commander'
import { CONFIG_OPTION } from './config.ts'
import { explained } from './help.ts'

/** What a process can be, and what it then does. */
const ROLES = {
  all: 'collect on this host, keep the records, answer queries and serve the dashboards',
  site: 'all of that but collecting: take batches over HTTP',
  collector: 'collect on this host and deliver to `collector.destinations`',
} as const
export type Role = keyof typeof ROLES

/** Adds a command per role that starts the process as one. */
export function addRoleCommands(
  program: Command,
  run: (role: Role, options: { config?: string }) => Promise<void>,
): void {
  for (const role of Object.keys(ROLES) as Role[]) {
    const command = program.command(role).description(ROLES[role])
    command.option(...CONFIG_OPTION).action((options: { config?: string }) => run(role, options))
    explained(command, { examples: [`noctule ${role} --config /etc/noctule/noctule.yaml`] })
  }
}
