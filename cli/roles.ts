import type { Command } from 'commander'
import type { Config } from '../core/config.ts'
import { ServiceError } from '../core/errors.ts'
import { CONFIG_OPTION } from './config.ts'
import { explained } from './help.ts'

/** What a process can be, and what it then does. */
const ROLES = {
  all: 'collect on this host, keep the records, answer queries and serve the dashboards',
  site: 'all of that but collecting: take batches over HTTP and from `kafka.clusters`',
  collector: 'collect on this host and deliver to `collector.destinations`',
  aggregator: 'take batches over HTTP and from `kafka.clusters`, and keep them in Elasticsearch',
  query: 'answer queries and serve the dashboards over what aggregators keep in Elasticsearch',
} as const
export type Role = keyof typeof ROLES

/** Throws BAD_CONFIG when a process of this role could do nothing with the configuration. */
export function assertRole(role: Role, { store }: Pick<Config, 'store'>): void {
  if ((role === 'aggregator' || role === 'query') && store.kind !== 'elasticsearch') {
    throw new ServiceError(
      'BAD_CONFIG',
      `the role "${role}" shares its store with other processes, so it needs store.kind: elasticsearch (found: ${store.kind}); with any other store, "site" does both`,
    )
  }
}

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
