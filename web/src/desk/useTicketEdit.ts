import { useQueryClient } from '@tanstack/react-query';
import { useCallback } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiError, get, patch } from '~/api/client';
import { ticketQuery } from '~/api/queries';
import type { Ticket, TicketPatch } from '~/api/types';
import { toast, toastError, toastUndo } from '~/ui/toast';

/**
 * Changes fields at once on screen, then on the server with the version as base. Somebody else's change of the same
 * field wins and is shown; everything can be undone for ten seconds.
 */
export function useTicketEdit(ticket: Ticket) {
  const client = useQueryClient();
  const { t } = useTranslation();
  const key = ticketQuery(ticket.number).queryKey;
  const store = useCallback(
    (x: Ticket) => {
      client.setQueryData(key, x);
      void client.invalidateQueries({ queryKey: ['tickets'] });
      void client.invalidateQueries({ queryKey: ['timeline', x.number] });
    },
    [client, key],
  );
  const refetch = useCallback(async () => {
    const fresh = await get<Ticket>(`/tickets/${ticket.number}`);
    store(fresh);
    return fresh;
  }, [store, ticket.number]);
  const change = useCallback(
    async (next: TicketPatch, back: TicketPatch, what: string, shown?: Partial<Ticket>) => {
      const before = ticket;
      if (shown) client.setQueryData(key, { ...before, ...shown });
      try {
        store(await patch<Ticket>(`/tickets/${ticket.number}`, next, before.version));
        toastUndo(what, async () => {
          const now = client.getQueryData<Ticket>(key) ?? before;
          store(await patch<Ticket>(`/tickets/${ticket.number}`, back, now.version));
        });
      } catch (err) {
        client.setQueryData(key, before);
        if (err instanceof ApiError && (err.status === 409 || err.status === 412)) {
          await refetch().catch(() => undefined);
          toast(t('ticket.changedByOther'));
        } else toastError(err);
      }
    },
    [client, key, refetch, store, t, ticket],
  );
  return { change, store, refetch };
}
