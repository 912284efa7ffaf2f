export function manifest(): Promise<string>
