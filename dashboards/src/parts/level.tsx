/** A level's name as it is written everywhere; '' is a line that says none. */
export function levelName(level: string): string {
  return level === '' ? 'none' : level
}

/** The class that carries a level's colour; levels that the page does not know get the colour of none. */
export function levelClass(level: string): string {
  return `level-${/^(?:fatal|error|warn|info|debug|trace)$/u.test(level) ? level : 'none'}`
}
