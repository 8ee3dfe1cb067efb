// Lists the texts that the pages ask for: `node scripts/keys.mjs` prints every key found in the source, and the
// prefixes of keys that are put together at run time. The test of the dictionaries uses the same search.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Every file of the source that may hold keys. */
export function sources(dir) {
  return readdirSync(dir, { withFileTypes: true }).flatMap((e) => {
    const path = join(dir, e.name);
    if (e.isDirectory()) return sources(path);
    return /\.tsx?$/.test(e.name) && !/\.test\.tsx?$/.test(e.name) ? [path] : [];
  });
}

/** Whole keys and prefixes ("state.") used in one text. */
export function keysIn(text) {
  const keys = new Set();
  const prefixes = new Set();
  for (const call of text.matchAll(/\b(?:t|exists)\(/g)) {
    const args = firstArgument(text, call.index + call[0].length);
    for (const m of args.matchAll(/'([^'\n]+)'|"([^"\n]+)"/g)) {
      const k = m[1] ?? m[2];
      if (/^[a-z][\w]*(\.[\w]+)+$/i.test(k)) keys.add(k);
    }
    for (const m of args.matchAll(/`([^`]*)`/g)) {
      const head = m[1].split('${')[0];
      if (/^[a-z]\w*\./i.test(head)) prefixes.add(head);
    }
  }
  return { keys, prefixes };
}

/** The text of a call's first argument, up to the comma or bracket that ends it. */
function firstArgument(text, from) {
  let depth = 0;
  let quote = '';
  for (let i = from; i < text.length; i++) {
    const c = text[i];
    if (quote) {
      if (c === quote && text[i - 1] !== '\\') quote = '';
      continue;
    }
    if (c === "'" || c === '"' || c === '`') quote = c;
    else if ('([{'.includes(c)) depth++;
    else if (')]}'.includes(c)) {
      if (depth === 0) return text.slice(from, i);
      depth--;
    } else if (c === ',' && depth === 0) return text.slice(from, i);
  }
  return text.slice(from);
}

export function allKeys(dir) {
  const keys = new Set();
  const prefixes = new Set();
  for (const f of sources(dir)) {
    const found = keysIn(readFileSync(f, 'utf8'));
    for (const k of found.keys) keys.add(k);
    for (const p of found.prefixes) prefixes.add(p);
  }
  return { keys, prefixes };
}

if (process.argv[1]?.endsWith('keys.mjs')) {
  const { keys, prefixes } = allKeys(new URL('../src', import.meta.url).pathname);
  console.log([...keys].sort().join('\n'));
  console.log(
    [...prefixes]
      .sort()
      .map((p) => `${p}*`)
      .join('\n'),
  );
}
