import {cpSync, existsSync} from 'node:fs'

/** tsc neither copies nor compiles what `skk scaffold` copies. */
if (existsSync('src/templates')) cpSync('src/templates', 'dist/templates', {recursive: true})
