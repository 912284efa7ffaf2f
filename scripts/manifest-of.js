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
  return `${JSON.stringify(plugin.manifest, null, 2)}\n`
}
