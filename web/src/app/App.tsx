import { MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClientProvider, useQuery, useQueryClient } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { useEffect, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { del, setUnauthenticatedHandler } from '~/api/client';
import { makeQueryClient, meQuery } from '~/api/queries';
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
        <Notifications position="bottom-right" limit={4} containerWidth={380} />
        <Gate />
      </QueryClientProvider>
    </MantineProvider>
  );
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
          client.clear();
          client.setQueryData(meQuery.queryKey, agent);
        }}
      />
    );
  }
  const signOut = () => {
    void del('/session').catch(() => undefined);
    client.clear();
    client.setQueryData(meQuery.queryKey, null);
  };
  return (
    <AppProvider key={me.data.login} me={me.data} signOut={signOut}>
      <RouterProvider router={router} context={{ me: me.data }} />
    </AppProvider>
  );
}
