import fc from 'fast-check'
import {expect, it} from 'vitest'

import {unifiedDiff} from '../../../src/lib/scaffold/diff.js'

it('shows a change with three lines around it', () => {
  const before = Array.from({length: 20}, (_, i) => `line ${i}`)
  const after = [...before.slice(0, 10), 'new', ...before.slice(11)]

  expect(unifiedDiff('f', `${before.join('\n')}\n`, `${after.join('\n')}\n`).split('\n')).toEqual([
    '--- a/f',
    '+++ b/f',
    '@@ -8,7 +8,7 @@',
    ...[' line 7', ' line 8', ' line 9', '-line 10', '+new', ' line 11', ' line 12', ' line 13'],
  ])
})

it('shows a file that comes or goes, and nothing for none', () => {
  expect(unifiedDiff('f', undefined, 'a\n')).toBe('--- /dev/null\n+++ b/f\n@@ -0,0 +1,1 @@\n+a')
  expect(unifiedDiff('f', 'a\n', undefined)).toBe('--- a/f\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a')
  expect(unifiedDiff('f', 'a\n', 'a\n')).toBe('')
})

it('has all that is needed to make one text of the other', () => {
  const text = fc
    .array(fc.constantFrom('a', 'b', 'c', 'd'), {minLength: 1, maxLength: 40})
    .map((lines) => `${lines.join('\n')}\n`)
  fc.assert(
    fc.property(text, text, (before, after) => {
      fc.pre(before !== after)
      expect(patched(before, unifiedDiff('f', before, after))).toBe(after)
    }),
  )
})

/** As patch(1) does it; a line that is not where the diff says is an error. */
function patched(before: string, diff: string): string {
  const lines = before.trimEnd().split('\n')
  const out: string[] = []
  let at = 0
  for (const line of diff.split('\n').slice(2)) {
    const [, start, count] = /^@@ -(\d+),(\d+) /.exec(line) ?? []
    if (start !== undefined) {
      const from = count === '0' ? Number(start) : Number(start) - 1
      while (at < from) out.push(lines[at++]!)
    } else if (line[0] === '+') out.push(line.slice(1))
    else {
      if (lines[at] !== line.slice(1)) throw new Error(`line ${at + 1} is not "${line}"`)
      if (line[0] === ' ') out.push(line.slice(1))
      at++
    }
  }
  return `${[...out, ...lines.slice(at)].join('\n')}\n`
}
