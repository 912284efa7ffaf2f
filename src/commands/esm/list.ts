import type {Mapping} from '../../lib/aws/mapping.js'
import {type Health, healthOf} from '../../lib/esm/health.js'
import {EsmCommand, selectionFlags} from '../../lib/esm-command.js'

type Listed = Mapping & {health: Health}

export default class EsmList extends EsmCommand<typeof EsmList> {
  static override description = 'list the mappings of Kafka topics to Lambda functions'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    {description: 'UUIDs of one function', command: "<%= config.bin %> <%= command.id %> --function orders --query '[].uuid'"},
  ]
  static override flags = {...selectionFlags}

  async run(): Promise<Listed[]> {
    const account = await this.account()
    const mappings = await this.withLambda(account, (world) => this.selected(world, account))
    const listed = mappings.map((mapping) => ({...mapping, health: healthOf(mapping)}))
    if (listed.length === 0) this.note('no mappings')
    this.table(listed, {
      function: (mapping) => mapping.function,
      topic: ({topic}) => topic,
      state: ({state}) => state,
      health: ({health}) => health.words,
      group: ({group}) => group,
      uuid: ({uuid}) => uuid,
    })
    return listed
  }
}
