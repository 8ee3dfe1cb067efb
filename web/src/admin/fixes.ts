// What usually helps when a line to the telephone network is down.

/** fixFor names the advice by the error's text. */
export function fixFor(error: string): 'auth' | 'network' | 'dns' | 'busy' | 'other' {
  const e = error.toLowerCase();
  if (/40[137]|unauthori[sz]ed|forbidden|credential|password/.test(e)) return 'auth';
  if (/no such host|dns|resolve|lookup/.test(e)) return 'dns';
  if (/timeout|timed out|408|unreachable|refused|no route/.test(e)) return 'network';
  if (/503|486|congest|overload/.test(e)) return 'busy';
  return 'other';
}
