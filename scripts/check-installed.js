import {existsSync} from 'node:fs'

// `npm i -g .` links this directory as it is: it installs neither a compiler nor what the program needs.
if (!existsSync(new URL('../node_modules/typescript', import.meta.url))) {
  process.stderr.write(
    'error: the packages that skk is made of are not installed\nhint:  Run `npm ci` first, then the same command again.\n',
  )
  process.exit(2)
}
