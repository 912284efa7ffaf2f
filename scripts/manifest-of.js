import {fileURLToPath} from 'node:url'

import {Plugin} from '@oclif/core'

/** The manifest of the commands in dist/, as text: what the build commits and the test compares. */
export async function manifest() {
  const plugin = new Plugin({
    root: fileURLToPath(new URL('..', import.meta.url)),
    type: 'core',
    ignoreManifest: true,
    errorOnManifestCreate: true,
  })
  await plugin.load()
  // oclif finds them in the order in which the file system answers.
  const commands = Object.fromEntries(Object.entries(plugin.manifest.commands).sort(([a], [b]) => (a < b ? -1 : 1)))
  return `${JSON.stringify({...plugin.manifest, commands}, null, 2)}\n`
}
