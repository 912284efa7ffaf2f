/** Lines around a change that are shown with it. */
const CONTEXT = 3

type Line = {kind: ' ' | '-' | '+'; text: string}

/** The change from `before` to `after` as a unified diff; empty when there is none. Undefined is a file that is not there. */
export function unifiedDiff(path: string, before: string | undefined, after: string | undefined): string {
  if (before === after) return ''
  const lines = compare(linesOf(before), linesOf(after))
  const names = [
    `--- ${before === undefined ? '/dev/null' : `a/${path}`}`,
    `+++ ${after === undefined ? '/dev/null' : `b/${path}`}`,
  ]
  return [...names, ...hunksOf(lines)].join('\n')
}

const linesOf = (text: string | undefined): string[] => (text === undefined ? [] : text.replace(/\n$/, '').split('\n'))

/** What both have at the beginning and at the end is set apart: what lies between is short, and may be compared in a table. */
function compare(before: string[], after: string[]): Line[] {
  const same = (text: string): Line => ({kind: ' ', text})
  let start = 0
  while (start < Math.min(before.length, after.length) && before[start] === after[start]) start++
  let end = 0
  while (end < Math.min(before.length, after.length) - start && before.at(-1 - end) === after.at(-1 - end)) end++
  return [
    ...before.slice(0, start).map(same),
    ...compareBetween(before.slice(start, before.length - end), after.slice(start, after.length - end)),
    ...before.slice(before.length - end).map(same),
  ]
}

/** By the longest common subsequence. */
function compareBetween(before: string[], after: string[]): Line[] {
  const width = after.length + 1
  const common = new Uint32Array((before.length + 1) * width)
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      const at = i * width + j
      common[at] = before[i] === after[j] ? common[at + width + 1]! + 1 : Math.max(common[at + width]!, common[at + 1]!)
    }
  }
  const lines: Line[] = []
  let [i, j] = [0, 0]
  while (i < before.length || j < after.length) {
    const at = i * width + j
    if (i < before.length && j < after.length && before[i] === after[j]) {
      lines.push({kind: ' ', text: before[i++]!})
      j++
    } else if (j >= after.length || (i < before.length && common[at + width]! >= common[at + 1]!)) {
      lines.push({kind: '-', text: before[i++]!})
    } else lines.push({kind: '+', text: after[j++]!})
  }
  return lines
}

function hunksOf(lines: Line[]): string[] {
  const shown = lines.map((_, index) =>
    lines.slice(Math.max(0, index - CONTEXT), index + CONTEXT + 1).some(({kind}) => kind !== ' '),
  )
  const out: string[] = []
  let [before, after] = [1, 1]
  for (let index = 0; index < lines.length; index++) {
    if (shown[index] && !shown[index - 1]) {
      const end = shown.indexOf(false, index)
      const hunk = lines.slice(index, end === -1 ? lines.length : end)
      const range = (at: number, without: string) => {
        const count = hunk.filter(({kind}) => kind !== without).length
        return `${count === 0 ? at - 1 : at},${count}`
      }
      out.push(`@@ -${range(before, '+')} +${range(after, '-')} @@`)
    }
    const {kind, text} = lines[index]!
    if (shown[index]) out.push(`${kind}${text}`)
    if (kind !== '+') before++
    if (kind !== '-') after++
  }
  return out
}
