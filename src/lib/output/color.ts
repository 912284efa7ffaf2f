import {Chalk, type ColorSupportLevel, supportsColor, supportsColorStderr} from 'chalk'

/** NO_COLOR > FORCE_COLOR > terminal. chalk decides the last two, but does not honour https://no-color.org (chalk/supports-color#74). */
const level = (support: typeof supportsColor): ColorSupportLevel => (process.env.NO_COLOR || !support ? 0 : support.level)

export const color = new Chalk({level: level(supportsColor)})
export const colorStderr = new Chalk({level: level(supportsColorStderr)})
