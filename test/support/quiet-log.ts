import type { Logger } from '../../core/ports.ts'

/** Says nothing. */
export const quietLog: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => quietLog }
