import {expect, it} from 'vitest'

import {nearest} from '../../src/lib/nearest.js'

const commands = ['topics list', 'topics create', 'clusters list', 'produce', 'consume']

it.each([
  ['topics lst', 'topics list'],
  ['topcs list', 'topics list'],
  ['consme', 'consume'],
  ['cluster list', 'clusters list'],
])('"%s" was meant to be "%s"', (typed, meant) => expect(nearest(typed, commands)).toBe(meant))

it.each(['frobnicate', 'x', ''])('"%s" was meant to be nothing known', (typed) =>
  expect(nearest(typed, commands)).toBeUndefined(),
)

it('has no candidate among none', () => expect(nearest('a', [])).toBeUndefined())
