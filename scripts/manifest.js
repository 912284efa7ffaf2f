import {writeFileSync} from 'node:fs'

import {manifest} from './manifest-of.js'

/** Writes oclif.manifest.json, which spares every start the loading of all commands. */
writeFileSync('oclif.manifest.json', await manifest())
