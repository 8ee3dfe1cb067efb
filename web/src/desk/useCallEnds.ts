import { notifications } from '@mantine/notifications';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { usePhone } from '~/app/context';
import { local } from '~/i18n';
import { dialFailure } from '~/phone/state';

/** The server writes a call into its ticket a moment after its end. */
const WRITTEN_MS = 1500;

/** When a call ends: why a call out reached nobody is said once, and the lists that show calls are read again. */
export function useCallEnds(): void {
  const client = useQueryClient();
  const end = usePhone((s) => s.lastEnd);
  const told = useRef('');
  useEffect(() => {
    if (!end || told.current === end.call) return;
    told.current = end.call;
    const words = dialFailure(end);
    if (words) {
      notifications.show({
        color: 'red',
        title: end.from_name || end.from,
        message: local(words, ''),
        autoClose: 10_000,
      });
    }
    // Not undone by the next change: the lists must be right also when another call begins at once.
    for (const wait of [0, WRITTEN_MS]) {
      setTimeout(() => {
        for (const key of ['callbacks', 'timeline', 'calls', 'ticket']) {
          void client.invalidateQueries({ queryKey: [key] });
        }
      }, wait);
    }
  }, [client, end]);
}
