const ROTATION = /(?:[.-](?:\d{1,10}|gz|zst|bz2|xz|old|\d{4}-\d\d-\d\d))+$/
const EXTENSION = /\.(?:log|txt|json|jsonl|ndjson|out|err)$/
/** File names that say what is logged, not by whom; a number is a container's restart count. */
const GENERIC =
  /^(?:access|error|errors|stdout|stderr|out|err|output|console|current|log|logs|debug|info|\d+)?$/
const LOG_FOLDER = /^(?:logs?|var)?$/

/**
 * The service that a file belongs to when nothing else names it: the file's name without extension and rotation suffix, or its
 * folder's when that says nothing (`/var/log/nginx/access.log.1` → nginx). '' for no path.
 */
export function serviceOfPath(path: string): string {
  const parts = path.split('/')
  const name = (parts.pop() ?? '').replace(ROTATION, '').replace(EXTENSION, '').replace(ROTATION, '')
  if (!GENERIC.test(name)) return name
  const folder = parts.pop() ?? ''
  return LOG_FOLDER.test(folder) ? name : folder
}
