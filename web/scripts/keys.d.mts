export function sources(dir: string): string[];
export function keysIn(text: string): { keys: Set<string>; prefixes: Set<string> };
export function allKeys(dir: string): { keys: Set<string>; prefixes: Set<string> };
