#!/usr/bin/env node
import './check-node.js'
import module from 'node:module'

if (module.enableCompileCache) module.enableCompileCache() // Node >= 22.1; before the first heavy import
import('@oclif/core/execute').then(({execute}) => execute({dir: import.meta.url}))
