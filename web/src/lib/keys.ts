// Which key was meant: by its place on the keyboard, so that shortcuts work in a Russian layout too.

/** Whether what is typed now goes into a text. Shortcuts keep quiet then. */
export function inText(target: EventTarget | null = document.activeElement): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable) return true;
  if (target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true;
  if (target instanceof HTMLInputElement) {
    return !['button', 'checkbox', 'radio', 'range', 'submit', 'reset'].includes(target.type);
  }
  return target.getAttribute('role') === 'combobox';
}

/** keyName turns an event into "alt+a", "n", "3": letters and digits by place, the rest by meaning. */
export function keyName(
  e: Pick<KeyboardEvent, 'code' | 'key' | 'altKey' | 'ctrlKey' | 'metaKey' | 'shiftKey'>,
): string {
  const letter = /^Key([A-Z])$/.exec(e.code)?.[1]?.toLowerCase();
  const digit = /^(?:Digit|Numpad)([0-9])$/.exec(e.code)?.[1];
  const name = letter ?? digit ?? e.key.toLowerCase();
  return `${e.ctrlKey ? 'ctrl+' : ''}${e.metaKey ? 'meta+' : ''}${e.altKey ? 'alt+' : ''}${e.shiftKey && (letter || digit) ? 'shift+' : ''}${name}`;
}
