import { MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { type QueryClient, QueryClientProvider, useQuery, useQueryClient } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { useEffect, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { del, setUnauthenticatedHandler } from '~/api/client';
import { makeQueryClient, meQuery } from '~/api/queries';
import type { Me } from '~/api/types';
import { SignIn } from '~/session/SignIn';
import { ErrorState, Loading } from '~/ui/bits';
import { AppProvider } from './context';
import { makeRouter } from './router';
import { makeTheme } from './theme';

export function App() {
  const { t } = useTranslation();
  const [client] = useState(makeQueryClient);
  const theme = useMemo(() => makeTheme({ close: t('common.close'), search: t('palette.open') }), [t]);
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto">
      <QueryClientProvider client={client}>
        <Notifications position="bottom-left" limit={4} containerWidth={380} />
        <Gate />
      </QueryClientProvider>
    </MantineProvider>
  );
}

/** Somebody else sits here now: what was read for the one before is forgotten. The question "who" itself stays alive. */
function change(client: QueryClient, me: Me | null): void {
  client.removeQueries({ predicate: (q) => q.queryKey[0] !== meQuery.queryKey[0] });
  client.setQueryData(meQuery.queryKey, me);
}

/** Decides between the sign-in and the desk; the address in the bar stays as it was. */
function Gate() {
  const client = useQueryClient();
  const me = useQuery(meQuery);
  const router = useMemo(() => makeRouter(), []);
  const [ended, setEnded] = useState(false);

  useEffect(() => {
    setUnauthenticatedHandler(() => {
      setEnded(true);
      client.setQueryData(meQuery.queryKey, null);
    });
  }, [client]);

  if (me.isPending) return <Loading />;
  if (me.isError) return <ErrorState error={me.error} retry={() => void me.refetch()} />;
  if (!me.data) {
    return (
      <SignIn
        ended={ended}
        onDone={(agent) => {
          setEnded(false);
          change(client, agent);
        }}
      />
    );
  }
  const signOut = () => {
    void del('/session').catch(() => undefined);
    change(client, null);
  };
  return (
    <AppProvider key={me.data.login} me={me.data} signOut={signOut}>
      <RouterProvider router={router} context={{ me: me.data }} />
    </AppProvider>
  );
}
