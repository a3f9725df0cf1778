export function withBundle<T> (entry: string, run: (file: string) => Promise<T>): Promise<T>
