// The command palette, Ctrl+K: go anywhere, change your state, find a ticket or a person by what you type.

import { useDebouncedValue } from '@mantine/hooks';
import { Spotlight, type SpotlightActionData, type SpotlightActionGroupData } from '@mantine/spotlight';
import {
  IconActivity,
  IconAddressBook,
  IconCoffee,
  IconHeadset,
  IconInbox,
  IconLogout,
  IconPhoneOutgoing,
  IconPlayerPlay,
  IconPower,
  IconSearch,
  IconSettings,
  IconTicket,
  IconTool,
  IconUser,
} from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { list } from '~/api/client';
import type { Contact, Ticket } from '~/api/types';
import { VIEWS } from '~/desk/views';
import { local } from '~/i18n';
import { canDial, onShift } from '~/phone/state';
import { toastError } from '~/ui/toast';
import { can, useApp, useCore, useMe, usePhone } from './context';

const icon = { size: 18, stroke: 1.7 };
const NUMBER = /^[+0-9][0-9 ()-]{2,}$/;

export function Palette() {
  const { t } = useTranslation();
  const [query, setQuery] = useState('');
  const found = useFound(query);
  const pages = usePages();
  const phone = usePhoneActions(query);
  const groups: SpotlightActionGroupData[] = [
    { group: t('palette.phone'), actions: phone },
    { group: t('palette.go'), actions: pages },
    ...(found.length > 0 ? [{ group: t('palette.found'), actions: found }] : []),
  ];
  return (
    <Spotlight
      actions={groups}
      query={query}
      onQueryChange={setQuery}
      shortcut={['mod + K']}
      nothingFound={t('palette.nothing')}
      highlightQuery
      scrollable
      overlayProps={{ backgroundOpacity: 0.4 }}
      maxHeight={420}
      limit={14}
      searchProps={{
        leftSection: <IconSearch {...icon} />,
        placeholder: t('palette.hint'),
        'aria-label': t('palette.hint'),
      }}
    />
  );
}

function usePages(): SpotlightActionData[] {
  const { t } = useTranslation();
  const { me, signOut } = useApp();
  const navigate = useNavigate();
  return useMemo(() => {
    const go = (to: string) => () => void navigate({ to });
    const all: (SpotlightActionData | false)[] = [
      ...VIEWS.map((v) => ({
        id: `view-${v.key}`,
        label: t(`view.${v.key}`),
        description: t('nav.desk'),
        leftSection: <IconInbox {...icon} />,
        onClick: go(`/desk/${v.key}`),
      })),
      {
        id: 'contacts',
        label: t('nav.contacts'),
        leftSection: <IconAddressBook {...icon} />,
        onClick: go('/contacts'),
      },
      can(me, 'live.read') && {
        id: 'live',
        label: t('nav.live'),
        leftSection: <IconActivity {...icon} />,
        onClick: go('/live'),
      },
      ...(can(me, 'admin.users')
        ? (['users', 'queues', 'trunks', 'flows', 'tokens'] as const).map((k) => ({
            id: `admin-${k}`,
            label: t(`admin.nav.${k}`),
            description: t('nav.admin'),
            leftSection: <IconTool {...icon} />,
            onClick: go(`/admin/${k}`),
          }))
        : []),
      {
        id: 'settings',
        label: t('nav.settings'),
        leftSection: <IconSettings {...icon} />,
        onClick: go('/settings'),
      },
      { id: 'shift', label: t('shift.title'), leftSection: <IconHeadset {...icon} />, onClick: go('/shift') },
      { id: 'out', label: t('session.signOut'), leftSection: <IconLogout {...icon} />, onClick: signOut },
    ];
    return all.filter((a): a is SpotlightActionData => a !== false);
  }, [me, navigate, signOut, t]);
}

function usePhoneActions(query: string): SpotlightActionData[] {
  const { t } = useTranslation();
  const core = useCore();
  const navigate = useNavigate();
  const shift = usePhone(onShift);
  const policy = usePhone((s) => s.policy);
  const able = usePhone(canDial);
  const me = useMe();
  const dials = able && can(me, 'call.dial_any');
  return useMemo(() => {
    const out: SpotlightActionData[] = [];
    if (dials && NUMBER.test(query.trim())) {
      out.push({
        id: 'dial',
        label: t('palette.dial', { number: query.trim() }),
        keywords: query,
        leftSection: <IconPhoneOutgoing {...icon} />,
        onClick: () => void core.dial({ to: query.trim() }).catch(toastError),
      });
    }
    if (!shift) {
      out.push({
        id: 'start',
        label: t('shift.start'),
        leftSection: <IconPlayerPlay {...icon} />,
        onClick: () => void navigate({ to: '/shift' }),
      });
      return out;
    }
    out.push({
      id: 'available',
      label: t('state.available'),
      leftSection: <IconHeadset {...icon} />,
      onClick: () => void core.setAgent('available').catch(toastError),
    });
    for (const r of policy.pause_reasons ?? []) {
      out.push({
        id: `pause-${r.key}`,
        label: t('state.pausedFor', { reason: local(r.name, r.key) }),
        leftSection: <IconCoffee {...icon} />,
        onClick: () => void core.setAgent('paused', r.key).catch(toastError),
      });
    }
    out.push({
      id: 'offline',
      label: t('shift.end'),
      leftSection: <IconPower {...icon} />,
      onClick: () => void core.endShift().catch(toastError),
    });
    return out;
  }, [core, dials, navigate, policy.pause_reasons, query, shift, t]);
}

/** Tickets and people that fit what was typed. */
function useFound(query: string): SpotlightActionData[] {
  const [q] = useDebouncedValue(query.trim(), 250);
  const navigate = useNavigate();
  const on = q.length >= 2;
  const { data } = useQuery({
    queryKey: ['palette', q],
    enabled: on,
    queryFn: async ({ signal }) => {
      const [tickets, people] = await Promise.all([
        list<Ticket>('/tickets', { q: q.replace(/^#/, ''), status: 'all', limit: 5 }, signal),
        list<Contact>('/contacts', { q, limit: 5 }, signal),
      ]);
      return { tickets: tickets.data, people: people.data };
    },
  });
  if (!on || !data) return [];
  return [
    ...data.tickets.map((x) => ({
      id: `t-${x.number}`,
      label: x.title,
      description: `#${x.number}`,
      keywords: query,
      leftSection: <IconTicket {...icon} />,
      onClick: () => void navigate({ to: '/desk/$view/$number', params: { view: 'all', number: x.number } }),
    })),
    ...data.people.map((x) => ({
      id: `c-${x.id}`,
      label: x.name,
      description: x.org?.name,
      keywords: query,
      leftSection: <IconUser {...icon} />,
      onClick: () => void navigate({ to: '/contacts/$id', params: { id: String(x.id) } }),
    })),
  ];
}
