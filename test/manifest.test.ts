import {readFileSync} from 'node:fs'

import {expect, it} from 'vitest'

import {manifest} from '../scripts/manifest-of.js'

it('oclif.manifest.json is what `npm run build` makes of the commands', async () => {
  const committed = readFileSync('oclif.manifest.json', 'utf8')

  expect(committed).toBe(await manifest())
})
