import { putAttr, setAttr, type Draft } from './draft.ts'
import { setLevel, setTime } from './fields.ts'
import { SYSLOG_SEVERITIES } from './levels.ts'
import { readTime, type ReadContext } from './time.ts'

const PRIORITY = /^<(\d{1,3})>/
const PRIORITY_MAX = 191
const FACILITIES =
  'kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp audit alert clock local0 local1 local2 local3 local4 local5 local6 local7'.split(
    ' ',
  )

/** Host, program, process, message id: none of them holds a blank. */
const RFC5424_HEAD = /1 (\S{1,64}) (\S{1,255}) (\S{1,48}) (\S{1,128}) (\S{1,32}) (?=-|\[)/y
const ELEMENT = /\[([^\s="\]]+)((?: [^\s="\]]+="(?:[^"\\]|\\.)*")*)\]/y
const PARAMETER = / ([^\s="\]]+)="((?:[^"\\]|\\.)*)"/g
/** `host program[pid]: `; the program may hold one blank-free path, the process may be missing. */
const HOST_AND_TAG = /[ \t]*([A-Za-z0-9_][\w.:-]*) ([A-Za-z0-9_./()@+-]{1,64})(?:\[(\d+)\])?: ?/y
const TAG_ONLY = /[ \t]*([A-Za-z0-9_./()@+-]{1,64})(?:\[(\d+)\])?: ?/y

/** `<PRI>` in front of a line: level and facility. Returns its length, 0 when there is none. */
export function readPriority(draft: Draft, text: string): number {
  const match = PRIORITY.exec(text)
  const priority = Number(match?.[1])
  if (match === null || priority > PRIORITY_MAX) return 0
  setLevel(draft, SYSLOG_SEVERITIES[priority % 8] ?? '')
  setAttr(draft, 'facility', FACILITIES[Math.floor(priority / 8)] ?? '')
  return match[0].length
}

/** RFC 5424 at `at`, behind the priority: returns where the message starts, -1 when it is another format. */
export function readRfc5424(draft: Draft, text: string, at: number, read: ReadContext, host: string): number {
  RFC5424_HEAD.lastIndex = at
  const head = RFC5424_HEAD.exec(text)
  if (head === null) return -1
  const [, time = '-', hostname = '-', program = '-', process = '-', messageId = '-'] = head
  const found = time === '-' ? null : readTime(time, 0, read)
  if (time !== '-' && found?.end !== time.length) return -1
  if (found !== null) setTime(draft, found.ms, time)
  putHost(draft, hostname, host)
  if (program !== '-') draft.program = program
  if (process !== '-') setAttr(draft, 'pid', /^\d{1,10}$/.test(process) ? Number(process) : process)
  if (messageId !== '-') setAttr(draft, 'msgid', messageId)
  const next = readElements(draft, text, RFC5424_HEAD.lastIndex)
  const messageAt = text.charCodeAt(next) === 0x20 ? next + 1 : next
  return text.charCodeAt(messageAt) === 0xfeff ? messageAt + 1 : messageAt
}

/** Structured data: each parameter becomes `sd.<id>.<name>`. */
function readElements(draft: Draft, text: string, at: number): number {
  if (text.charCodeAt(at) === 0x2d) return at + 1
  let next = at
  for (;;) {
    ELEMENT.lastIndex = next
    const element = ELEMENT.exec(text)
    if (element === null) return next
    for (const [, name = '', value = ''] of (element[2] ?? '').matchAll(PARAMETER)) {
      putAttr(draft, `sd.${element[1]}.${name}`, value.replaceAll(/\\(["\\\]])/g, '$1'))
    }
    next = ELEMENT.lastIndex
  }
}

/** `host program[pid]: ` behind a time: returns where the message starts, -1 when it is another format. */
export function readTag(draft: Draft, text: string, at: number, host: string): number {
  HOST_AND_TAG.lastIndex = at
  const match = HOST_AND_TAG.exec(text)
  if (match !== null) {
    putHost(draft, match[1] ?? '', host)
    putProgram(draft, match[2], match[3])
    return HOST_AND_TAG.lastIndex
  }
  TAG_ONLY.lastIndex = at
  const tag = TAG_ONLY.exec(text)
  if (tag === null) return -1
  putProgram(draft, tag[1], tag[2])
  return TAG_ONLY.lastIndex
}

/** Whether `host program[pid]: ` with a process stands at `at`: enough to tell syslog from prose. */
export function hasProcessTag(text: string, at: number): boolean {
  HOST_AND_TAG.lastIndex = at
  return HOST_AND_TAG.exec(text)?.[3] !== undefined
}

function putProgram(draft: Draft, program = '', process?: string): void {
  draft.program = program
  if (process !== undefined) setAttr(draft, 'pid', Number(process))
}

function putHost(draft: Draft, name: string, host: string): void {
  if (name !== '-' && name !== host) setAttr(draft, 'syslog_host', name)
}
