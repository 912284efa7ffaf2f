import {readFile} from 'node:fs/promises'

import {Flags} from '@oclif/core'

import {SkkError} from '../../lib/errors.js'
import {exportMappings, type Format, wantedOf} from '../../lib/esm/export.js'
import {readManifest} from '../../lib/esm/manifest.js'
import type {Wanted} from '../../lib/esm/plan.js'
import {EsmCommand, selectionFlags} from '../../lib/esm-command.js'

export default class EsmExport extends EsmCommand<typeof EsmExport> {
  static override description =
    'print mappings as a template of CloudFormation, SAM or Terraform, chained so that they are not created at once'
  static override examples = [
    '<%= config.bin %> <%= command.id %> --cfn > mappings.yaml',
    {
      description: 'from a file, in two chains',
      command: '<%= config.bin %> <%= command.id %> --terraform -f mappings.yaml --chains 2',
    },
  ]
  static override flags = {
    ...selectionFlags,
    cfn: Flags.boolean({description: 'a template of CloudFormation', exactlyOne: ['cfn', 'sam', 'terraform']}),
    sam: Flags.boolean({description: 'a template of SAM'}),
    terraform: Flags.boolean({description: 'resources of Terraform'}),
    file: Flags.string({
      char: 'f',
      description: 'YAML with the mappings, instead of those that exist',
      exclusive: ['function', 'topic'],
    }),
    chains: Flags.integer({description: 'how many may be created at once', default: 1, min: 1, max: 10}),
  }

  async run(): Promise<{format: Format; template: string}> {
    const format = this.flags.cfn ? 'cfn' : this.flags.sam ? 'sam' : 'terraform'
    const mappings = this.flags.file === undefined ? await this.existing() : await this.declared(this.flags.file)
    if (mappings.length === 0) {
      throw new SkkError('no mapping matches', {
        code: 'MAPPING_NOT_FOUND',
        exit: 'notFound',
        hint: 'Run `skk esm list` to see the mappings there are.',
      })
    }
    const template = await exportMappings(mappings, format, this.flags.chains)
    this.log(template)
    return {format, template}
  }

  private async existing(): Promise<Wanted[]> {
    const account = await this.account()
    const mappings = await this.withLambda(account, (world) => this.selected(world, account))
    return mappings.map(wantedOf)
  }

  private async declared(file: string): Promise<Wanted[]> {
    const account = await this.account()
    const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
      throw new SkkError(`cannot read "${file}": ${cause.code}`, {code: 'FILE_UNREADABLE', exit: 'localIo', cause})
    })
    const declared = await readManifest(text, file)
    return Promise.all(
      declared.map(async ({cluster, ...wanted}) => ({
        ...wanted,
        eventSourceArn: await this.clusterArn(cluster === undefined ? account : {...account, cluster}),
      })),
    )
  }
}
