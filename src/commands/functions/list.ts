import {type LambdaFunction, listFunctions} from '../../lib/aws/functions.js'
import {FunctionsCommand} from '../../lib/functions-command.js'

export default class FunctionsList extends FunctionsCommand<typeof FunctionsList> {
  static override description = 'list Lambda functions'

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    {description: 'their names', command: "<%= config.bin %> <%= command.id %> --query '[].name'"},
  ]

  async run(): Promise<LambdaFunction[]> {
    const functions = await this.withLambda(await this.account(), listFunctions)
    if (functions.length === 0) this.note('no functions')
    this.table(functions, {
      function: ({name}) => name,
      runtime: ({runtime}) => runtime ?? '',
      handler: ({handler}) => handler ?? '',
      memory: ({memoryMb}) => `${memoryMb} MB`,
      timeout: ({timeoutSeconds}) => `${timeoutSeconds} s`,
      modified: ({modifiedAt}) => modifiedAt ?? '',
    })
    return functions
  }
}
