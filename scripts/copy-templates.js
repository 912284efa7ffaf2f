import {cpSync, existsSync} from 'node:fs'

/** tsc neither copies nor compiles what `skk scaffold` copies. */
if (existsSync('src/templates')) cpSync('src/templates', 'dist/templates', {recursive: true})
/** Nor the program of a function's sandbox, plain JavaScript: it is run by its path, from src in tests as from dist. */
cpSync('src/lib/local/lambda/bootstrap.mjs', 'dist/lib/local/lambda/bootstrap.mjs')
