/** A message is read no further than this many characters, so the cost of one line is bounded. */
export const PATTERN_CHARS_MAX = 1024
/** A template is cut here; well below what is read, so that long values do not decide where the text ends. */
export const TEMPLATE_CHARS_MAX = 256

const HEX_WORD_CHARS = 8 // shorter words of only a to f are more often English ("added", "facade") than numbers
const HEX_GROUP_CHARS = 4 // of an IPv6 or MAC address

const DIGIT = 1
const WORD = 2
const HEX = 4
const JOINER = 8 // between two words it makes one of them
const SPACE = 16
const STOP = 32 // ends a path, a URL and the value of key=value
const QUOTE = 64
const NAMING = 128 // a joiner of user@host and DOMAIN\user: such words are variable without digits too
const DOTTED = 256

/** What each ASCII character can be; everything else counts as a letter. */
const KINDS = new Uint16Array(128)
function mark(characters: string, kind: number): void {
  for (let i = 0; i < characters.length; i++) {
    const code = characters.charCodeAt(i)
    KINDS[code] = (KINDS[code] ?? 0) | kind
  }
}
mark('0123456789', DIGIT | WORD | HEX)
mark('abcdefABCDEF', HEX)
mark('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_$', WORD)
mark('-+./:@\\', JOINER)
mark('@\\', NAMING)
mark('.', DOTTED)
mark(' \t\r\n', SPACE | STOP)
mark('"\'`', QUOTE | STOP)
mark('()[]{}<>,;|', STOP)

const codeOf = (character: string) => character.charCodeAt(0)
const [BLANK, COMMA, COLON, SLASH] = [codeOf(' '), codeOf(','), codeOf(':'), codeOf('/')]
const [EQUALS, BRACE, DOT, BACKSLASH] = [codeOf('='), codeOf('{'), codeOf('.'), codeOf('\\')]
const [DASH, PLUS, APOSTROPHE] = [codeOf('-'), codeOf('+'), codeOf("'")]
const [OPEN, STAR, CLOSE] = [codeOf('<'), codeOf('*'), codeOf('>')]

const MONTHS = new Set(
  'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ').map((word) => lettersAt(word, 0)),
)
const WEEKDAYS = new Set('Mon Tue Wed Thu Fri Sat Sun'.split(' ').map((word) => lettersAt(word, 0)))

const HOST_ENDS = new Set('com net org edu gov mil info arpa local localdomain internal lan'.split(' '))
const COUNTRY = /^[a-z]{2}$/

/** One who guesses names and passwords would else leave a pattern for each. */
const BEFORE_USER_NAME = /\b(?:for|invalid|unknown) user $/i
const BEFORE_USER_CHARS_MAX = ' unknown user '.length
const LAST_OF_USER = codeOf('r')

/** Where a template is written: one, reused for every message, because nothing here waits. */
const template = {
  codes: new Uint16Array(3 * PATTERN_CHARS_MAX),
  length: 0,
  /** End of the last `<*>` if only blanks and commas came after it, else -1. */
  variableEnd: -1,
}

/** 0 past the end of the text. */
function kindAt(text: string, at: number): number {
  const code = text.charCodeAt(at)
  return code >= KINDS.length ? WORD : (KINDS[code] ?? 0)
}

function put(code: number): void {
  template.codes[template.length++] = code
  if (code !== BLANK && code !== COMMA) template.variableEnd = -1
}

/** A blank for any run of white space, none at the start: columns are padded by the width of values. */
function putBlank(): void {
  if (template.length > 0 && template.codes[template.length - 1] !== BLANK) put(BLANK)
}

/** Variable parts side by side, or listed with blanks and commas, are one: lists vary in length. */
function putVariable(): void {
  if (template.variableEnd >= 0) {
    template.length = template.variableEnd
    return
  }
  const { codes, length } = template
  codes[length] = OPEN
  codes[length + 1] = STAR
  codes[length + 2] = CLOSE
  template.length = template.variableEnd = length + 3
}

function putText(text: string, start: number, end: number): void {
  const { codes, length } = template
  for (let at = start; at < end; at++) codes[length + at - start] = text.charCodeAt(at)
  template.length += end - start
  template.variableEnd = -1
}

/** Whether the colon at `at` goes on with a number or a group of an address: 10.0.0.1:80, 12:30, fe80::ab. */
function colonJoins(text: string, at: number, end: number): boolean {
  const start = at + (text.charCodeAt(at + 1) === COLON ? 2 : 1)
  if (start >= end) return false
  if (kindAt(text, start) & DIGIT || text.charCodeAt(start) === BACKSLASH) return true
  let groupEnd = start
  while (groupEnd < end && kindAt(text, groupEnd) & HEX) groupEnd++
  const chars = groupEnd - start
  return chars > 0 && chars <= HEX_GROUP_CHARS && (kindAt(text, groupEnd) & WORD) === 0
}

function joins(text: string, at: number, end: number): boolean {
  if (text.charCodeAt(at) === COLON) return colonJoins(text, at, end)
  return at + 1 < end && (kindAt(text, at + 1) & WORD) !== 0
}

function lettersAt(text: string, at: number): number {
  return (text.charCodeAt(at) << 16) | (text.charCodeAt(at + 1) << 8) | text.charCodeAt(at + 2)
}

/** Where the next word of a date starts, after a comma and blanks. */
function nextInDate(text: string, at: number, end: number): number {
  let next = text.charCodeAt(at) === COMMA ? at + 1 : at
  while (next < end && kindAt(text, next) & SPACE) next++
  return next
}

/** Whether the three letters at `at` are the month or weekday of a date: "Jul 21", "Mon, 21 Jul", "Mon Jul  2". */
function isDateWord(text: string, at: number, end: number): boolean {
  const letters = lettersAt(text, at)
  const isMonth = MONTHS.has(letters)
  if (!isMonth && !WEEKDAYS.has(letters)) return false
  const next = nextInDate(text, at + 3, end)
  if (kindAt(text, next) & DIGIT) return true
  if (isMonth || !MONTHS.has(lettersAt(text, next))) return false
  return (kindAt(text, nextInDate(text, next + 3, end)) & DIGIT) !== 0
}

/** Whether the word at `start` follows words that are followed by the name of a user. */
function followsUser(text: string, start: number): boolean {
  if (start < 2 || text.charCodeAt(start - 2) !== LAST_OF_USER) return false
  return BEFORE_USER_NAME.test(text.slice(Math.max(0, start - BEFORE_USER_CHARS_MAX), start))
}

/** Ends as host names do: in a generic top-level domain, or after two other labels in one of two letters. */
function isHostName(word: string): boolean {
  const lastDot = word.lastIndexOf('.')
  const last = word.slice(lastDot + 1)
  return HOST_ENDS.has(last) || (COUNTRY.test(last) && word.indexOf('.') < lastDot)
}

/** Puts the word at `start`, with what is joined to it; returns where it ends. */
function takeWord(text: string, start: number, end: number): number {
  let at = start
  let seen = 0
  let common = HEX
  for (; at < end; at++) {
    const kind = kindAt(text, at)
    if ((kind & WORD) === 0 && ((kind & JOINER) === 0 || !joins(text, at, end))) break
    seen |= kind
    common &= kind
  }
  const isUrl = text.charCodeAt(at) === COLON && text.startsWith('://', at)
  if (isUrl) return takeRun(text, at, end)
  const chars = at - start
  if (seen & (DIGIT | NAMING) || (common & HEX && chars >= HEX_WORD_CHARS)) putVariable()
  else if (chars === 3 && isDateWord(text, start, end)) putVariable()
  else if (seen & DOTTED && isHostName(text.slice(start, at))) putVariable()
  else if (followsUser(text, start)) putVariable()
  else putText(text, start, at)
  return at
}

/** Puts a path, a URL or a value as one variable; returns where it ends. */
function takeRun(text: string, start: number, end: number): number {
  let at = start
  while (at < end && (kindAt(text, at) & STOP) === 0) at++
  while (at > start + 1 && (text.charCodeAt(at - 1) === DOT || text.charCodeAt(at - 1) === COLON)) at--
  putVariable()
  return at
}

/** Where the quote at `start` is closed, or -1. An apostrophe closes only at the end of a word. */
function closingQuote(text: string, start: number, end: number): number {
  const quote = text.charCodeAt(start)
  for (let at = start + 1; at < end; at++) {
    const code = text.charCodeAt(at)
    if (code === BACKSLASH) at++
    else if (code === quote && (quote !== APOSTROPHE || (kindAt(text, at + 1) & WORD) === 0)) return at
  }
  return -1
}

/** Puts the quoted text that ends at `close`: the keys of an object as they are, all else as a variable. */
function takeQuoted(text: string, start: number, close: number): number {
  let before = template.length - 1
  while (template.codes[before] === BLANK) before--
  const opens = template.codes[before]
  const isKey = text.charCodeAt(close + 1) === COLON && before >= 0 && (opens === BRACE || opens === COMMA)
  if (isKey) putText(text, start, close + 1)
  else putVariable()
  return close + 1
}

/** Puts what starts at `at`, which is neither blank nor in a word; returns where to go on. */
function takeSign(text: string, at: number, end: number): number {
  const code = text.charCodeAt(at)
  const next = at + 1 < end ? kindAt(text, at + 1) : SPACE
  const afterWord = at > 0 && (kindAt(text, at - 1) & WORD) !== 0
  if ((code === DASH || code === PLUS || code === DOT) && next & DIGIT) return takeWord(text, at + 1, end)
  if (code === SLASH && !afterWord && next & WORD) return takeRun(text, at, end)
  put(code)
  const isPair = code === EQUALS && afterWord && (next & STOP) === 0 && text.charCodeAt(at + 1) !== EQUALS
  return isPair ? takeRun(text, at + 1, end) : at + 1
}

/** Where reading stops: at the limit, but not within a word if that can be. */
function readEnd(text: string): number {
  if (text.length <= PATTERN_CHARS_MAX) return text.length
  let end = PATTERN_CHARS_MAX
  while (end > 0 && (kindAt(text, end) & SPACE) === 0) end--
  return end > 0 ? end : PATTERN_CHARS_MAX
}

/** Writes the template of a message into `template`. */
function scan(text: string): void {
  template.length = 0
  template.variableEnd = -1
  const end = readEnd(text)
  let unclosed = 0 // the last quote that nothing closes: looked for once, so that time stays linear
  let at = 0
  while (at < end && template.length < TEMPLATE_CHARS_MAX) {
    const kind = kindAt(text, at)
    if (kind & WORD) at = takeWord(text, at, end)
    else if (kind & SPACE) {
      putBlank()
      at++
    } else if (kind & QUOTE && text.charCodeAt(at) !== unclosed && opensQuote(text, at)) {
      const close = closingQuote(text, at, end)
      if (close < 0) unclosed = text.charCodeAt(at)
      else at = takeQuoted(text, at, close)
    } else at = takeSign(text, at, end)
  }
  template.length = Math.min(template.length, TEMPLATE_CHARS_MAX)
  if (template.codes[template.length - 1] === BLANK) template.length--
}

/** Not the apostrophe of "can't" and not the escaped quote of text within text. */
function opensQuote(text: string, at: number): boolean {
  if (at === 0) return true
  if (text.charCodeAt(at - 1) === BACKSLASH) return false
  return text.charCodeAt(at) !== APOSTROPHE || (kindAt(text, at - 1) & WORD) === 0
}

/**
 * The message with its variable parts replaced by `<*>`: every word with a digit (numbers, ids, addresses, times), hex, quoted
 * text, paths, URLs, host and user names, values of key=value. White space is one blank. Depends on nothing but the message.
 */
export function patternOf(message: string): string {
  scan(message)
  return String.fromCharCode(...template.codes.subarray(0, template.length))
}

const ALPHABET = Array.from('0123456789abcdefghijklmnopqrstuv', codeOf)

/** Stable id of `patternOf(message)`: 12 characters, 60 bits, base32hex. Costs less than the template. */
export function patternId(message: string): string {
  scan(message)
  const { codes, length } = template
  let a = 0x811c9dc5 // two lanes of FNV-1a with different primes
  let b = 0x9747b28c
  for (let i = 0; i < length; i++) {
    const code = codes[i] ?? 0
    a = Math.imul(a ^ code, 0x01000193)
    b = Math.imul(b ^ code, 0x85ebca6b)
  }
  return sixChars(mixed(a ^ (b >>> 15))) + sixChars(mixed(b ^ length))
}

/** The last step of murmur3: every bit of the input changes half of the output. */
function mixed(value: number): number {
  let hash = value
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

/** The low 30 bits. */
function sixChars(bits: number): string {
  const digit = (shift: number) => ALPHABET[(bits >>> shift) & 31] ?? 0
  return String.fromCharCode(digit(25), digit(20), digit(15), digit(10), digit(5), digit(0))
}
