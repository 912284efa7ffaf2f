import type {Command} from '@oclif/core'

import {listFunctions} from './aws/functions.js'
import {closeLambda, type Lambda, openLambda} from './aws/lambda.js'
import {BaseCommand, type Question} from './base-command.js'
import {isLoopbackUrl} from './contexts/addresses.js'
import {lambdaAccess} from './contexts/lambda-endpoint.js'
import type {Target} from './contexts.js'

/** What the commands for functions share. */
export abstract class FunctionsCommand<C extends typeof Command> extends BaseCommand<C> {
  /** Runs `work` with a client of Lambda, and closes it. */
  protected async withLambda<T>(account: Target, work: (lambda: Lambda) => Promise<T>): Promise<T> {
    const lambda = await openLambda(lambdaAccess(account, process.env))
    try {
      return await work(lambda)
    } finally {
      closeLambda(lambda)
    }
  }

  /** The function that was named, or is picked. */
  protected async named(account: Target, given: string | undefined): Promise<string> {
    if (given !== undefined) return given
    const question: Question = {
      name: 'NAME',
      message: 'Which function?',
      example: 'orders',
      choices: () => this.withLambda(account, async (lambda) => (await listFunctions(lambda)).map(({name}) => name)),
    }
    return (await this.answers({name: question}, {cluster: false})).name!
  }

  protected isLocal({access}: Lambda): boolean {
    return access.endpointUrl !== undefined && isLoopbackUrl(access.endpointUrl)
  }
}
