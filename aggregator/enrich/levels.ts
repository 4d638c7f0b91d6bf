import type { Level } from '../../core/record.ts'

/** Words for each level, lower case. */
const WORDS: Readonly<Record<Exclude<Level, ''>, readonly string[]>> = {
  fatal: ['fatal', 'critical', 'crit', 'emerg', 'emergency', 'alert', 'panic', 'dpanic'],
  error: ['error', 'err', 'severe'],
  warn: ['warn', 'warning'],
  info: ['info', 'information', 'informational', 'notice'],
  debug: ['debug', 'dbg', 'fine', 'verbose'],
  trace: ['trace', 'trc', 'finer', 'finest'],
}

/** Words that are levels in a field called level, but ordinary words or letters anywhere else. */
const FIELD_WORDS: Readonly<Record<Exclude<Level, ''>, readonly string[]>> = {
  fatal: ['f', 'ftl'],
  error: ['e', 'eror'],
  warn: ['w', 'wrn'],
  info: ['i', 'inf', 'log'],
  debug: ['d', 'd1', 'd2', 'd3', 'd4', 'd5', 'config'],
  trace: ['t', 'silly'],
}

/** Severities of RFC 5424, by number. */
export const SYSLOG_SEVERITIES = [
  'emerg',
  'alert',
  'crit',
  'err',
  'warning',
  'notice',
  'info',
  'debug',
] as const

const tokens = new Map<string, Level>()
const fieldWords = new Map<string, Level>()
for (const [level, words] of Object.entries(WORDS)) for (const word of words) addForms(word, level as Level)
for (const [level, words] of Object.entries(FIELD_WORDS)) {
  for (const word of words) fieldWords.set(word, level as Level)
}

function addForms(word: string, level: Level): void {
  fieldWords.set(word, level)
  tokens.set(word.toUpperCase(), level)
}

/** Level of an upper-case word at the conventional place of a line; '' when it is none. */
export function levelOfToken(token: string): Level {
  return tokens.get(token) ?? ''
}

/** Level of a word that stands where only a level can stand; '' when it is none. */
export function levelOfWord(word: string): Level {
  return tokens.get(word) ?? fieldWords.get(word) ?? fieldWords.get(word.trim().toLowerCase()) ?? ''
}

/** Syslog severities 0–7, pino and bunyan 10–60 (in between: the lower one); '' for other numbers. */
export function levelOfNumber(number: number): Level {
  if (!Number.isInteger(number) || number < 0) return ''
  if (number < SYSLOG_SEVERITIES.length) return levelOfWord(SYSLOG_SEVERITIES[number] ?? '')
  if (number < 10 || number >= 70) return ''
  return (['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const)[Math.floor(number / 10) - 1] ?? ''
}
