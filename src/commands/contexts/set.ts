import {resolve} from 'node:path'

import {Args, Flags} from '@oclif/core'

import {BaseCommand, dryRunFlag} from '../../lib/base-command.js'
import {type Context, contextFields, readContexts, saveContext} from '../../lib/contexts/config-file.js'
import {checkContext, checkContextName} from '../../lib/contexts/rules.js'

export default class ContextsSet extends BaseCommand<typeof ContextsSet> {
  static override description = 'make a context, or change what it holds'

  static override examples = [
    '<%= config.bin %> <%= command.id %> staging --cluster orders-staging --region eu-west-1 --profile staging --use',
    '<%= config.bin %> <%= command.id %> production --cluster orders --region eu-west-1 --protected',
    '<%= config.bin %> <%= command.id %> docker --bootstrap localhost:9092 --auth none',
    '<%= config.bin %> <%= command.id %> staging --unset via',
  ]

  static override args = {name: Args.string({description: 'name of the context'})}

  static override flags = {
    credentials: Flags.option({
      options: ['default', 'local'] as const,
      description: "where the keys come from: AWS's default chain, or the local stack",
      exclusive: ['profile'],
    })(),
    protected: Flags.boolean({description: 'ask for the name of what is deleted there', allowNo: true}),
    'lambda-endpoint-url': Flags.string({description: 'address of the Lambda API', helpValue: '<url>'}),
    unset: Flags.option({options: contextFields, description: 'take a setting away', multiple: true, multipleNonGreedy: true})(),
    use: Flags.boolean({description: 'make it the current context'}),
    ...dryRunFlag,
  }

  async run(): Promise<Context & {name: string; current: boolean}> {
    const name =
      this.args.name ??
      (await this.answers({name: {name: 'NAME', message: 'Name of the context:', example: 'staging'}}, {cluster: false})).name!
    checkContextName(name)
    const before = await readContexts(this.config.configDir)
    const {unset = [], cluster, bootstrap} = this.flags
    const replaced = [...(cluster ? ['bootstrap'] : []), ...(bootstrap ? ['cluster'] : [])]
    const context = {...without(before.contexts[name] ?? {}, [...unset, ...replaced]), ...this.settings(before.contexts[name])}
    checkContext(context, name)

    if (this.flags['dry-run']) {
      this.note(`would set context "${name}"`)
      return {name, current: this.flags.use || before.current === name, ...context}
    }
    const {current} = await saveContext(this.config.configDir, name, context, {use: this.flags.use})
    this.note(
      current === name ? `set context "${name}", the current one` : `set context "${name}"; the current one stays "${current}"`,
    )
    this.next('skk topics list')
    return {name, current: current === name, ...context}
  }

  /** What the flags say. */
  private settings(before: Context = {}): Context {
    const {cluster, bootstrap, region, auth, tls, ca, via, profile, credentials} = this.flags
    const kafka = this.flags['endpoint-url']
    const lambda = this.flags['lambda-endpoint-url']
    const told = {cluster, bootstrap, region, auth, tls, via, protected: this.flags.protected, ca: ca && resolve(ca)}
    return {
      ...(Object.fromEntries(Object.entries(told).filter(([, value]) => value !== undefined)) as Context),
      ...(profile && {credentials: {profile}}),
      ...(credentials && {credentials}),
      ...((kafka || lambda) && {endpointUrls: {...before.endpointUrls, ...(kafka && {kafka}), ...(lambda && {lambda})}}),
    }
  }
}

const without = (context: Context, unset: readonly string[]): Context =>
  Object.fromEntries(Object.entries(context).filter(([field]) => !unset.includes(field)))
