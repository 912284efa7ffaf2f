import {SkkError} from '../errors.js'
import {sanitizeLine} from './sanitize.js'

/** Whether somebody is there to answer: a question into a silent pipe would wait for ever. */
export const canAsk = (): boolean => Boolean(process.stdin.isTTY && process.stderr.isTTY && !process.env.CI)

/** A yes-or-no question; no is the default. */
export const askYesNo = (message: string): Promise<boolean> => ask({type: 'confirm', message, default: false})

/** A line of text that is not empty. */
export const askText = (message: string, initial?: string): Promise<string> =>
  ask({
    type: 'input',
    message,
    default: initial,
    validate: (text: string) => text.trim() !== '' || 'Write something, or press Ctrl-C.',
  })

/** One of the choices. */
export const askChoice = (message: string, choices: readonly string[]): Promise<string> =>
  ask({type: 'select', message, choices: choices.map((value) => ({value, name: sanitizeLine(value)}))})

/** Asks on standard error, so that standard output stays data. Throws SkkError (interrupted) on Ctrl-C. */
async function ask<T>(question: {type: string; message: string; [option: string]: unknown}): Promise<T> {
  const {default: inquirer} = await import('inquirer')
  const prompt = inquirer.createPromptModule({output: process.stderr})
  try {
    const {answer} = await prompt([{...question, message: sanitizeLine(question.message), name: 'answer'}] as never)
    return answer as T
  } catch (error) {
    if ((error as Error).name !== 'ExitPromptError') throw error
    throw new SkkError('interrupted', {code: 'INTERRUPTED', exit: 'interrupted', cause: error})
  }
}
