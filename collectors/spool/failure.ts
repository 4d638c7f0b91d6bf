import { ServiceError, asServiceError } from '../../core/errors.ts'
import { isDiskFull } from '../../core/fs.ts'

/** What a failed file operation means to those who use the spool. */
export function spoolFailure(error: unknown, doing: string): ServiceError {
  const known = asServiceError(error)
  if (known !== undefined) return known
  if (isDiskFull(error)) return new ServiceError('DISK_FULL', `no room on the disk to ${doing}`, {}, error)
  return new ServiceError('STORE_UNAVAILABLE', `cannot ${doing}`, {}, error)
}
