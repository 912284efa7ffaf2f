/** How this process was started, as a person types it. npm sets npm_command=exec for `npx skk`. */
const invocation = (env: NodeJS.ProcessEnv = process.env): string => (env.npm_command === 'exec' ? 'npx skk' : 'skk')

/** The text with its `skk …` commands as they can be typed here. */
export const asTyped = (text: string): string => text.replaceAll(/(^|`|^\$ |^ {2})skk (?=[a-z-])/gm, `$1${invocation()} `)
