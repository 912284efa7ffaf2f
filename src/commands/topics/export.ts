import {Flags} from '@oclif/core'

import {BaseCommand} from '../../lib/base-command.js'
import {withCluster} from '../../lib/kafka/client.js'
import type {TopicsManifest} from '../../lib/kafka/topics/manifest.js'
import {manifestOf, readTopics, writeTopicsManifest} from '../../lib/kafka/topics/read.js'

export default class TopicsExport extends BaseCommand<typeof TopicsExport> {
  static override description = 'print the topics as YAML for `topics plan` and `topics apply`'

  static override examples = [
    '<%= config.bin %> <%= command.id %> > topics.yaml',
    {description: "only one team's", command: '<%= config.bin %> <%= command.id %> --prefix orders. > topics.yaml'},
  ]

  static override flags = {
    prefix: Flags.string({description: 'beginning of the names; written into the file, which --prune needs'}),
  }

  async run(): Promise<TopicsManifest> {
    const existing = await withCluster(await this.kafka(), readTopics)
    const manifest = manifestOf(existing, this.flags.prefix)
    const hidden = existing.filter(({name, configs}) => configs === null && name.startsWith(manifest.prefix ?? ''))
    for (const {name} of hidden) this.warn(`the configuration of "${name}" may not be read, and is left out`)
    if (manifest.topics.length === 0) this.note('no topics')
    this.log((await writeTopicsManifest(manifest)).trimEnd())
    return manifest
  }
}
